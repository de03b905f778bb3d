/* SPDX-License-Identifier: MIT */
/*
 * Writes lines to a descriptor, and never blocks. What the reader does not take at once is kept, up
 * to a limit; lines beyond it are dropped and counted. All who write to one file share one writer,
 * so that no line comes into another one. Any thread may call these functions, except for open,
 * close and replace.
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
	LINE_OUTPUT, /* of a worker */
	LINE_LOG,    /* of the log: what workers print does not displace it */
	LINE_END     /* the end of a line that was begun: it is never dropped */
};

struct line_losses {
	uint64_t lines;
	uint64_t bytes;
};

/*
 * Called with a writer that needs line_writer_flush() when its descriptor is writable, or that has
 * losses to be told. It may be called by any thread.
 */
typedef void line_writer_attention_fn(void *context);

/*
 * Open a writer. The descriptor stays the caller's, with its flags: other processes share its
 * description. Of a pipe and of a terminal the writer opens a description of its own, which does
 * not block. Returns 0 or -ENOMEM.
 */
int line_writer_open(int fd, struct line_writer **ret_writer);

/*
 * The same for syslog: each line is one message.
 *
 * syslog  taken over, also if this fails
 */
int line_writer_open_syslog(struct syslog_socket *syslog, struct line_writer **ret_writer);

/* Close a writer. What waits gets a last try that does not block. NULL is allowed. */
void line_writer_close(struct line_writer *writer);

/* Call a function when the writer needs attention. NULL: call none. */
void line_writer_watch(struct line_writer *writer, line_writer_attention_fn *fn, void *context);

/* Write to another descriptor from now on. What waits is written there, too. */
void line_writer_replace(struct line_writer *writer, int fd);

/* Returns the descriptor to wait for, until it is writable. It stays the writer's. */
int line_writer_fd(const struct line_writer *writer);

/*
 * Write some pieces, one behind the other, as a whole: all of them are written, or will be, or all
 * are dropped. A line of LINE_LOG is written at once, those of LINE_OUTPUT by line_writer_push().
 * Returns false if they were dropped.
 */
bool line_writer_add(struct line_writer *writer, enum line_rank rank, const struct iovec *pieces,
		     int count);

/* Write what was added. What the reader does not take at once is left to line_writer_flush(). */
void line_writer_push(struct line_writer *writer);

/* Count what the caller itself had to drop. */
void line_writer_lose(struct line_writer *writer, uint64_t lines, uint64_t bytes);

/* Write what waits, as far as the reader takes it. Returns the number of bytes that still wait. */
size_t line_writer_flush(struct line_writer *writer);

/* Returns what was dropped since the writer was opened. */
struct line_losses line_writer_losses(struct line_writer *writer);

/*
 * Get what was dropped since the last call that returned true. Returns false if nothing was, or if
 * there is no room yet for a line that says so.
 */
bool line_writer_take_losses(struct line_writer *writer, struct line_losses *ret_losses);

#endif
