/* SPDX-License-Identifier: MIT */
/*
 * The last lines that workers printed, of each slot its own, so that a slot that prints much does
 * not displace the lines of others. Pure: no system call, no clock.
 */
#ifndef STICKY_COMMON_LINE_RING_H
#define STICKY_COMMON_LINE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LINE_RING_LINE_MAX 8192		 /* bytes of a line: the rest is cut off */
#define LINE_RING_SLOT_MAX (512u * 1024) /* bytes of a slot, with some 100 for each line */
#define LINE_RING_MAX	   (16u << 20) /* bytes of all slots; where many print, each has its share */
#define LINE_RING_ALL	   UINT32_MAX  /* in the place of a slot: all of them */

struct line_ring;

/* Of which a line is. */
struct line_origin {
	uint32_t slot;
	uint64_t generation;
	bool shows_generation; /* another worker of the slot was there, too */
	pid_t pid;
	const char *stream; /* "stdout" or "stderr": a text that stays valid */
};

struct ring_line {
	struct line_origin origin;
	/* counts all lines, from 1: a gap between two lines is lines that are not there any more */
	uint64_t number;
	uint64_t slot_number; /* counts those of the slot */
	uint64_t time_ms;     /* since 1970, UTC */
	bool is_cut;	      /* its end is missing */
	bool is_part;	      /* it has no line end (yet) */
	size_t length;	      /* of the bytes, without the line end */
	const char *bytes;
};

/*
 * Make an empty ring for some slots, 0 to slot_count - 1.
 *
 * Returns 0 or -ENOMEM.
 */
int line_ring_open(uint32_t slot_count, struct line_ring **ret_ring);

/* Free the ring. NULL is allowed. */
void line_ring_close(struct line_ring *ring);

/* Called after a line was added. It must not close the ring, nor unwatch it. */
typedef void line_ring_added_fn(void *context);

/* Call a function after each new line. NULL: call none. */
void line_ring_watch(struct line_ring *ring, line_ring_added_fn *fn, void *context);

/*
 * Add a line. If memory is short, it is missing, and counted as one that is not there any more.
 *
 * bytes  of the line, with the line end, if it has one
 */
void line_ring_add(struct line_ring *ring, const struct line_origin *origin, uint64_t time_ms,
		   const char *bytes, size_t length);

/*
 * Find the line with which the last lines begin.
 *
 * slot   of whose lines; LINE_RING_ALL
 * count  of the last lines; 0: none of those that are there
 *
 * Returns its number; if there is no such line, the number of the next one that is added.
 */
uint64_t line_ring_last(const struct line_ring *ring, uint32_t slot, uint64_t count);

/* Returns how many lines were ever added. slot: of whose; LINE_RING_ALL */
uint64_t line_ring_count(const struct line_ring *ring, uint32_t slot);

/*
 * Get the first line that is kept, from a number on.
 *
 * slot    of whose lines; LINE_RING_ALL
 *
 * Returns NULL if there is none. The line is valid until another one is added.
 */
const struct ring_line *line_ring_from(const struct line_ring *ring, uint32_t slot,
				       uint64_t number);

/* Get the line behind a line, which must be in the ring. Returns NULL behind the last one. */
const struct ring_line *line_ring_next(const struct ring_line *line, uint32_t slot);

#endif
