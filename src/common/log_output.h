/* SPDX-License-Identifier: MIT */
/*
 * Where the log and the workers' output go to: stdout and stderr, or the file of --log-file. Each
 * is one writer; where both are the same file, there is one writer alone.
 */
#ifndef STICKY_COMMON_LOG_OUTPUT_H
#define STICKY_COMMON_LOG_OUTPUT_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/error_text.h"
#include "common/line_writer.h"

struct log_output;

enum log_stream { LOG_STDOUT, LOG_STDERR, LOG_STREAM_COUNT };

struct log_target {
	const char *file; /* the path of the log file; NULL: none */
	const char
		*syslog; /* the path of syslog's socket; NULL: no syslog. Neither: stdout, stderr */
};

/*
 * Open the outputs, and let the log write to them.
 *
 * target     copied
 * ret_error  what is wrong, and what the user can do about it
 *
 * Returns 0, -ENOMEM, or another -errno of the file or of the socket.
 */
int log_output_open(const struct log_target *target, struct log_output **ret_output,
		    struct error_text *ret_error);

/*
 * Write what waits when its reader takes it, and say in the log what was dropped, in the loop.
 * Returns 0 or -errno.
 */
int log_output_watch(struct log_output *output, struct event_base *base);

/*
 * Open the log file again, as another one may have its name by now. On failure the present one
 * stays in use, and an error is logged. Without a log file nothing is done.
 */
void log_output_reopen(struct log_output *output);

/* Let stdout and stderr lead to the log file, too, also when it is opened again; or to /dev/null.
 */
void log_output_redirect(struct log_output *output);

/* End log_output_watch(): the loop is about to be freed. NULL is allowed. */
void log_output_unwatch(struct log_output *output);

/* Write what waits, as far as it can be written at once, and close the outputs. NULL is allowed. */
void log_output_close(struct log_output *output);

/* Returns the writer of a stream. It stays the output's. */
struct line_writer *log_output_writer(const struct log_output *output, enum log_stream stream);

/* Returns the descriptor of a stream, for a process that is to write to it by itself. */
int log_output_fd(const struct log_output *output, enum log_stream stream);

/* Does everything go to a log file, or to syslog? */
bool log_output_is_file(const struct log_output *output);
bool log_output_is_syslog(const struct log_output *output);

/* Does "<6>" at the beginning of a line of the stream give its priority, as for journal and syslog?
 */
bool log_output_takes_priority(const struct log_output *output, enum log_stream stream);

/* Returns what was dropped, of all streams, since the outputs were opened. */
struct line_losses log_output_losses(const struct log_output *output);

#endif
