/* SPDX-License-Identifier: MIT */
/*
 * The outputs of the log and of the workers: stdout and stderr, the file of --log-file, or syslog.
 * Each output has one writer. If stdout and stderr are the same file, they share one.
 */
#ifndef STICKY_COMMON_LOG_OUTPUT_H
#define STICKY_COMMON_LOG_OUTPUT_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/error_text.h"
#include "common/line_writer.h"

struct log_output;

enum log_stream { LOG_STDOUT, LOG_STDERR, LOG_STREAM_COUNT };

/* If both are NULL, stdout and stderr are used. */
struct log_target {
	const char *file;   /* path of the log file, or NULL */
	const char *syslog; /* path of syslog's socket, or NULL */
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
 * Let the loop write waiting lines when their reader takes them, and log how much was dropped.
 * Returns 0 or -errno.
 */
int log_output_watch(struct log_output *output, struct event_base *base);

/*
 * Open the log file again, as a rotation may have put another file in its place. On failure the
 * present file stays in use, and an error is logged. Without a log file nothing is done.
 */
void log_output_reopen(struct log_output *output);

/*
 * Let this process's stdout and stderr lead to the log file, also after it is opened again; or to
 * /dev/null if there is no log file.
 */
void log_output_redirect(struct log_output *output);

/* End log_output_watch(), before the loop is freed. NULL is allowed. */
void log_output_unwatch(struct log_output *output);

/*
 * Write waiting lines, as far as this is possible at once, and close the outputs. NULL is allowed.
 */
void log_output_close(struct log_output *output);

/* Returns the writer of a stream. It stays the output's. */
struct line_writer *log_output_writer(const struct log_output *output, enum log_stream stream);

/* Returns the descriptor of a stream, for a process that writes to it by itself. */
int log_output_fd(const struct log_output *output, enum log_stream stream);

/* Returns true if everything goes to a log file, or to syslog. */
bool log_output_is_file(const struct log_output *output);
bool log_output_is_syslog(const struct log_output *output);

/*
 * Returns true if the stream's reader takes "<6>" at the beginning of a line as its priority, as
 * the journal and syslog do.
 */
bool log_output_takes_priority(const struct log_output *output, enum log_stream stream);

/* Returns the losses of all streams since the outputs were opened. */
struct line_losses log_output_losses(const struct log_output *output);

#endif
