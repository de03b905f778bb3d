/* SPDX-License-Identifier: MIT */
/* Finds, among a worker's last lines, the one that most likely says why it ended. Pure. */
#ifndef STICKY_API_LAST_WORDS_H
#define STICKY_API_LAST_WORDS_H

#include "common/line_ring.h"

/*
 * Find the last line of a worker that is neither empty, nor indented, nor only a closing bracket or
 * the version that Node.js prints last. This finds the error itself below or above the frames of a
 * stack trace of Python, Node.js or Java. Only the slot's last 40 lines are searched.
 *
 * ring  NULL is allowed
 *
 * Returns NULL if there is none. The line is valid until another one is added.
 */
const struct ring_line *last_words_find(const struct line_ring *ring, uint32_t slot,
					uint64_t generation);

#endif
