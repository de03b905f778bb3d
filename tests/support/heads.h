/* SPDX-License-Identifier: MIT */
/*
 * Heads of HTTP/1 requests, valid and invalid ones. They are drawn from a grammar with a fixed
 * seed: each run of a program gets the same heads.
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
 * Draw the next head. Its lines have names in any case, folds, odd white space and odd line ends.
 * There may be several lines of X-Forwarded-For and Connection, and bytes behind the empty line.
 */
void head_draw(struct head_draft *draft);

/*
 * Make up to three small changes to a head. For example, a byte is changed, a fold is inserted, a
 * piece is repeated, or the rest is cut off.
 */
void head_mutate(struct head_draft *draft);

#endif
