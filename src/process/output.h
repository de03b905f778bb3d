/* SPDX-License-Identifier: MIT */
/*
 * Reads the output of workers from their pipes, and writes it where the log goes to. This blocks
 * neither the loop nor a worker. If the reader of the log is slow, lines are dropped and counted:
 * see line_writer.h.
 */
#ifndef STICKY_PROCESS_OUTPUT_H
#define STICKY_PROCESS_OUTPUT_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/line_ring.h"
#include "common/line_writer.h"
#include "process/output_tail.h"

struct output_source; /* one pipe of a worker */

enum output_form {
	OUTPUT_RAW,    /* no byte is added, and none is left out */
	OUTPUT_PREFIX, /* each line with its slot in front */
	OUTPUT_JSON    /* each line as a JSON object */
};

/* Tell the slot, generation, pid and stream of the worker whose output is passed now. */
typedef void output_origin_fn(void *context, struct line_origin *ret_origin);

/* The route of a source's output. */
struct output_route {
	struct line_writer *writer;
	enum output_form form;
	bool has_priority;	  /* with OUTPUT_PREFIX and OUTPUT_JSON: "<6>" begins each line */
	struct line_ring *ring;	  /* NULL: lines are not kept */
	struct output_tail *tail; /* gets all bytes; may be shared by two sources */
	size_t *begun;		  /* the bytes that all sources keep until a line ends */
	output_origin_fn *origin;
	void *context;
};

/*
 * Pass the bytes of a pipe on, line by line, so that lines of several sources are not mixed.
 *
 * A line of over 64 KiB (raw: 1 MiB) is passed in parts. So is every unfinished line while `begun`
 * exceeds 16 MiB. A raw line that has no end is passed after 200 ms.
 *
 * fd     the reading end, closed with the source
 * route  copied
 *
 * Returns 0 or -ENOMEM; the descriptor is then still the caller's.
 */
int output_source_open(struct event_base *base, int fd, const struct output_route *route,
		       struct output_source **ret_source);

/* Returns the descriptor that the source reads from. The source still owns it. */
int output_source_fd(const struct output_source *source);

/* Pass on what is still in the pipe, then close the source. NULL is allowed. */
void output_source_close(struct output_source *source);

/* Read what is in the pipe now. Call this before the tail is read. NULL is allowed. */
void output_source_drain(struct output_source *source);

#endif
