/* SPDX-License-Identifier: MIT */
/*
 * Heads of HTTP/1 requests as proxies send them, and as nobody should: drawn from a grammar with a
 * fixed seed, so that each run of a program sees the same ones.
 */
#ifndef TESTS_SUPPORT_HEADS_H
#define TESTS_SUPPORT_HEADS_H

#include <stdbool.h>
#include <stddef.h>

#define HEAD_DRAFT_MAX 4096

struct head_draft {
	char bytes[HEAD_DRAFT_MAX];
	size_t length;
	bool has_lf_only; /* most of its lines end in LF alone */
};

/*
 * The next one: lines in any case, folded, with odd white space and line ends; several
 * X-Forwarded-For and Connection; perhaps something behind the empty line.
 */
void head_draw(struct head_draft *draft);

/* Up to three small changes: a byte, a line end, a fold, a piece of it twice, the rest not there.
 */
void head_mutate(struct head_draft *draft);

#endif
