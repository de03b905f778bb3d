/* SPDX-License-Identifier: MIT */
/*
 * The output of workers is read from their pipes, and written to the controller's stdout and
 * stderr. This never blocks the loop. If the controller's own reader is slow, the workers' pipes
 * fill up, as they would without the controller.
 */
#ifndef STICKY_PROCESS_OUTPUT_H
#define STICKY_PROCESS_OUTPUT_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

struct output_sink;   /* the controller's stdout or stderr */
struct output_source; /* one pipe of a worker */
struct output_tail;   /* the last bytes that a worker printed */

/* Open a sink that writes to a descriptor, which stays the caller's. Returns 0 or -ENOMEM. */
int output_sink_open(struct event_base *base, int fd, struct output_sink **ret_sink);

/*
 * Close a sink. Output that is not written yet gets a last try that does not block. NULL is
 * allowed.
 */
void output_sink_close(struct output_sink *sink);

/*
 * Pass the bytes of a pipe on to a sink.
 *
 * fd      the reading end, closed with the source
 * prefix  written before each line; "": none. Lines of several sources are not mixed; one of over
 *         64 KiB is passed in parts. Without a prefix no byte is added, and none is left out; a
 * line that has no end is passed after 200 ms tail    remembers the last ones, may be shared by two
 * sources
 *
 * Returns 0, -ENOMEM or -errno; the descriptor is then still the caller's.
 */
int output_source_open(struct event_base *base, int fd, struct output_sink *sink,
		       const char *prefix, struct output_tail *tail,
		       struct output_source **ret_source);

/* Returns the descriptor that the source reads from. It stays the source's. */
int output_source_fd(const struct output_source *source);

/* Pass on what is still in the pipe, then close the source. NULL is allowed. */
void output_source_close(struct output_source *source);

/* Read what is in the pipe now. This is done before a tail is read. NULL is allowed. */
void output_source_drain(struct output_source *source);

/* Make an empty tail. Returns 0 or -ENOMEM. */
int output_tail_open(struct output_tail **ret_tail);

/* Free a tail. Its sources must have been closed. NULL is allowed. */
void output_tail_close(struct output_tail *tail);

/*
 * Copy the last whole lines. If not even one fits, copy its end.
 *
 * size  of ret_text, in bytes with the final NUL
 */
void output_tail_read(const struct output_tail *tail, size_t size, char *ret_text);

#endif
