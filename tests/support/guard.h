/* SPDX-License-Identifier: MIT */
/*
 * Bytes between two pages that nobody may read: a reader that goes one byte too far, to the right
 * or to the left, gets SIGSEGV. With or without a sanitizer, and in libraries that were built
 * without one.
 *
 * An input lies at one border at a time, so a reader that goes both ways is called twice.
 */
#ifndef TESTS_SUPPORT_GUARD_H
#define TESTS_SUPPORT_GUARD_H

#include <stddef.h>

struct guard {
	char *first; /* the first byte that may be read */
	char *end;   /* behind the last one */
	size_t page;
};

/* Make room for inputs of up to `room` bytes. Returns 0 or -errno. */
int guard_init(struct guard *guard, size_t room);

void guard_fini(struct guard *guard);

/*
 * Copy bytes to where they end at the unreadable page. Valid until the next call; `bytes` may be
 * NULL with a length of 0, and the answer then is that page's first byte.
 */
const void *guard_at_end(struct guard *guard, const void *bytes, size_t length);

/* The same at the page in front: the byte before the first can't be read. */
const void *guard_at_start(struct guard *guard, const void *bytes, size_t length);

#endif
