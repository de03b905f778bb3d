/* SPDX-License-Identifier: MIT */
/*
 * The last lines that workers printed. Each slot has its own share, so that a slot that prints much
 * does not displace the lines of others. Pure: no system call, no clock.
 */
#ifndef STICKY_COMMON_LINE_RING_H
#define STICKY_COMMON_LINE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LINE_RING_LINE_MAX 8192		 /* bytes of a line: the rest is cut off */
#define LINE_RING_SLOT_MAX (512u * 1024) /* bytes of a slot; each line counts some 100 more */
#define LINE_RING_MAX	   (16u << 20)	 /* bytes of all slots, shared by those that have printed */
#define LINE_RING_ALL	   UINT32_MAX	 /* all slots, where a slot's number is expected */

struct line_ring;

/* The worker and the stream that a line comes from. */
struct line_origin {
	uint32_t slot;
	uint64_t generation;
	bool shows_generation; /* the slot had another worker at that time */
	pid_t pid;
	const char *stream; /* "stdout" or "stderr"; a static text */
};

struct ring_line {
	struct line_origin origin;
	/* counts all lines, from 1: where numbers are missing, lines were dropped */
	uint64_t number;
	uint64_t slot_number; /* counts the slot's lines */
	uint64_t time_ms;     /* since 1970, UTC */
	bool is_cut;	      /* the end of the line is missing */
	bool is_part;	      /* the line has no line end (yet) */
	size_t length;	      /* number of bytes, without the line end */
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
 * Add a line. If memory is short, the line is dropped, but counted.
 *
 * bytes  of the line, with the line end, if it has one
 */
void line_ring_add(struct line_ring *ring, const struct line_origin *origin, uint64_t time_ms,
		   const char *bytes, size_t length);

/*
 * Find where the last `count` lines begin.
 *
 * slot   only its lines count; LINE_RING_ALL: those of all slots
 * count  0: none of the lines that are there yet
 *
 * Returns the number of the first of these lines; if there is none, the number of the next line
 * that is added.
 */
uint64_t line_ring_last(const struct line_ring *ring, uint32_t slot, uint64_t count);

/* Returns how many lines the slot, or LINE_RING_ALL, has had since the ring was opened. */
uint64_t line_ring_count(const struct line_ring *ring, uint32_t slot);

/*
 * Get the oldest line in the ring whose number is not below `number`.
 *
 * slot    only its lines count; LINE_RING_ALL: those of all slots
 *
 * Returns NULL if there is none. The line is valid until another one is added.
 */
const struct ring_line *line_ring_from(const struct line_ring *ring, uint32_t slot,
				       uint64_t number);

/* Get the line after a line, which must be in the ring. Returns NULL after the last one. */
const struct ring_line *line_ring_next(const struct ring_line *line, uint32_t slot);

#endif
