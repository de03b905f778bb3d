/* SPDX-License-Identifier: MIT */
/*
 * Writes lines to a descriptor, and never blocks. Bytes that the reader does not take at once are
 * kept, up to a limit; lines beyond it are dropped and counted. A file has only one writer, shared
 * by all that write to it, so that lines do not mix. Any thread may call these functions, except
 * for open, close and replace.
 */
#ifndef STICKY_COMMON_LINE_WRITER_H
#define STICKY_COMMON_LINE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define LINE_WRITER_LIMIT   (4u << 20)	  /* bytes that may wait for the reader */
#define LINE_WRITER_RESERVE (256u * 1024) /* bytes beyond that, for lines of LINE_LOG */

struct line_writer;
struct syslog_socket;

enum line_rank {
	LINE_OUTPUT, /* a worker's output */
	LINE_LOG,    /* the log, which workers' output does not displace */
	LINE_END     /* the end of a line that was begun: it is never dropped */
};

struct line_losses {
	uint64_t lines;
	uint64_t bytes;
};

/*
 * Called when bytes wait for line_writer_flush(), which is to be called when the descriptor is
 * writable, or when losses are to be told in the log. Any thread may call this function.
 */
typedef void line_writer_attention_fn(void *context);

/*
 * Open a writer. The descriptor stays the caller's, and its flags do not change, as other processes
 * share its open file description. For a pipe or terminal, the writer opens a description of its
 * own, which does not block. Returns 0 or -ENOMEM.
 */
int line_writer_open(int fd, struct line_writer **ret_writer);

/*
 * The same for syslog: each line is one message.
 *
 * syslog  taken over, also if this fails
 */
int line_writer_open_syslog(struct syslog_socket *syslog, struct line_writer **ret_writer);

/*
 * Close a writer. Waiting bytes are written as far as possible without blocking. NULL is allowed.
 */
void line_writer_close(struct line_writer *writer);

/* Call a function when the writer needs attention. NULL: call none. */
void line_writer_watch(struct line_writer *writer, line_writer_attention_fn *fn, void *context);

/* Write to another descriptor from now on. Waiting bytes are written there, too. */
void line_writer_replace(struct line_writer *writer, int fd);

/* Returns the descriptor to wait for, until it is writable. It stays the writer's. */
int line_writer_fd(const struct line_writer *writer);

/*
 * Write some pieces, one behind the other, as a whole: all of them are written, now or later, or
 * all are dropped. A line of LINE_LOG is written at once, a line of another rank by
 * line_writer_push(). Returns false if the pieces were dropped.
 */
bool line_writer_add(struct line_writer *writer, enum line_rank rank, const struct iovec *pieces,
		     int count);

/* Write the lines that were added. What the reader does not take is left to line_writer_flush(). */
void line_writer_push(struct line_writer *writer);

/* Count lines and bytes that the caller had to drop itself. */
void line_writer_lose(struct line_writer *writer, uint64_t lines, uint64_t bytes);

/*
 * Write waiting bytes, as far as the reader takes them. Returns the number of bytes that still
 * wait.
 */
size_t line_writer_flush(struct line_writer *writer);

/* Returns the losses since the writer was opened. */
struct line_losses line_writer_losses(struct line_writer *writer);

/*
 * Get the losses since the last call that returned true. Returns false if there are none, or if
 * there is no room yet for a line that tells them.
 */
bool line_writer_take_losses(struct line_writer *writer, struct line_losses *ret_losses);

#endif
