/* SPDX-License-Identifier: MIT */
/* The priority at the beginning of a line, as in sd-daemon(3): "<0>" to "<7>". Pure. */
#ifndef STICKY_COMMON_PRIORITY_MARK_H
#define STICKY_COMMON_PRIORITY_MARK_H

#include <stddef.h>

#define PRIORITY_MARK_INFO "<6>"

/* Returns the length of the mark with which a line begins; 0: the line has none. */
static inline size_t priority_mark_length(const char *line, size_t length)
{
	return length >= 3 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>'
		       ? 3
		       : 0;
}

#endif
