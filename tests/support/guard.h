/* SPDX-License-Identifier: MIT */
/*
 * Bytes between two pages that can't be read. If a parser reads one byte too far to the right or to
 * the left, it gets SIGSEGV. This works with and without a sanitizer, and in libraries that were
 * built without one.
 *
 * An input touches only one of the two pages at a time. A parser that may read too far in both
 * directions is therefore called twice.
 */
#ifndef TESTS_SUPPORT_GUARD_H
#define TESTS_SUPPORT_GUARD_H

#include <stddef.h>

struct guard {
	char *first; /* the first byte that may be read */
	char *end;   /* behind the last byte that may be read */
	size_t page;
};

/* Make room for inputs of up to `room` bytes. Returns 0 or -errno. */
int guard_init(struct guard *guard, size_t room);

void guard_fini(struct guard *guard);

/*
 * Copy bytes so that they end at the unreadable page. The copy is valid until the next call.
 * `bytes` may be NULL with a length of 0: the result then is the first byte of that page.
 */
const void *guard_at_end(struct guard *guard, const void *bytes, size_t length);

/* Do the same at the page in front: the byte before the first one can't be read. */
const void *guard_at_start(struct guard *guard, const void *bytes, size_t length);

#endif
