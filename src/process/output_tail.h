/* SPDX-License-Identifier: MIT */
/* The last bytes that a worker printed. Pure. */
#ifndef STICKY_PROCESS_OUTPUT_TAIL_H
#define STICKY_PROCESS_OUTPUT_TAIL_H

#include <stddef.h>

struct output_tail;

/* Make an empty tail. Returns 0 or -ENOMEM. */
int output_tail_open(struct output_tail **ret_tail);

/* Free a tail. Its sources must have been closed. NULL is allowed. */
void output_tail_close(struct output_tail *tail);

/* Remember what was printed. */
void output_tail_add(struct output_tail *tail, const char *bytes, size_t length);

/*
 * Copy the last whole lines. If not even one line fits, copy the end of the last one.
 *
 * size  of ret_text, in bytes with the final NUL
 */
void output_tail_read(const struct output_tail *tail, size_t size, char *ret_text);

#endif
