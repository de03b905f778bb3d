// SPDX-License-Identifier: MIT
#include "common/log_output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/log_file.h"
#include "common/syslog_socket.h"

struct stream {
	struct log_output *output;
	struct line_writer *writer; /* NULL: the other stream's writer is used */
	struct event *writable;
};

struct log_output {
	struct stream streams[LOG_STREAM_COUNT];
	char *path; /* of the log file; NULL: there is none */
	int file;   /* -1: there is none */
	bool is_syslog;
	int alarm; /* an eventfd, by which any thread calls the loop; -1: there is no loop */
	struct event *alarmed;
	struct event_base *base;
	bool redirects; /* our own stdout and stderr lead to the file */
};

static const char *const stream_names[LOG_STREAM_COUNT] = {
	[LOG_STDOUT] = "stdout",
	[LOG_STDERR] = "stderr",
};

/* ---- In the loop ------------------------------------------------------------------ */

static void tell_losses(const struct log_output *output, enum log_stream stream)
{
	struct line_losses losses;

	if (!line_writer_take_losses(output->streams[stream].writer, &losses))
		return;
	report(STICKY_LOG_WARN, "output_lost",
	       "of=%s lines=%" PRIu64 " bytes=%" PRIu64
	       " why=\"they could not be written in time\"",
	       output->is_syslog ? "syslog"
	       : output->path	 ? "log_file"
				 : stream_names[stream],
	       losses.lines, losses.bytes);
}

static void wait_for_room(struct stream *stream)
{
	event_del(stream->writable);
	event_assign(stream->writable, stream->output->base, line_writer_fd(stream->writer),
		     EV_WRITE, event_get_callback(stream->writable), stream);
	event_add(stream->writable, NULL);
}

static void serve(struct log_output *output)
{
	int stream;

	for (stream = 0; stream < LOG_STREAM_COUNT; stream++) {
		struct stream *each = &output->streams[stream];

		if (!each->writer)
			continue;
		if (line_writer_flush(each->writer))
			wait_for_room(each);
		tell_losses(output, (enum log_stream)stream);
	}
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	serve(((struct stream *)context)->output);
}

static void on_alarm(evutil_socket_t fd, short what, void *context)
{
	uint64_t count;
	ssize_t length = read(fd, &count, sizeof(count));

	(void)length;
	(void)what;
	serve(context);
}

/* Wake the loop. Any thread may call this. */
static void raise_alarm(void *context)
{
	static const uint64_t one = 1;
	ssize_t length = write(((struct log_output *)context)->alarm, &one, sizeof(one));

	(void)length; /* if the counter is full, the loop is awake already */
}

static int watch_stream(struct log_output *output, struct stream *stream)
{
	if (!stream->writer)
		return 0;
	stream->writable = event_new(output->base, line_writer_fd(stream->writer), EV_WRITE,
				     on_writable, stream);
	if (!stream->writable)
		return -ENOMEM;
	line_writer_watch(stream->writer, raise_alarm, output);
	return 0;
}

int log_output_watch(struct log_output *output, struct event_base *base)
{
	int stream, error = 0;

	output->base = base;
	output->alarm = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (output->alarm < 0)
		return -errno;
	output->alarmed = event_new(base, output->alarm, EV_READ | EV_PERSIST, on_alarm, output);
	if (!output->alarmed || event_add(output->alarmed, NULL))
		return -ENOMEM;
	for (stream = 0; stream < LOG_STREAM_COUNT && !error; stream++)
		error = watch_stream(output, &output->streams[stream]);
	raise_alarm(output); /* lines may wait already */
	return error;
}

void log_output_unwatch(struct log_output *output)
{
	int stream;

	if (!output)
		return;
	for (stream = 0; stream < LOG_STREAM_COUNT; stream++) {
		struct stream *each = &output->streams[stream];

		if (each->writer)
			line_writer_watch(each->writer, NULL, NULL);
		if (each->writable)
			event_free(each->writable);
		each->writable = NULL;
	}
	if (output->alarmed)
		event_free(output->alarmed);
	output->alarmed = NULL;
	if (output->alarm >= 0)
		close(output->alarm);
	output->alarm = -1;
}

/* ---- The streams ------------------------------------------------------------------ */

static bool are_same_file(int one, int other)
{
	struct stat a, b;

	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static int open_syslog(const char *path, struct line_writer **ret_writer,
		       struct error_text *ret_error)
{
	struct syslog_socket *syslog = NULL;
	int error = syslog_socket_open(path, &syslog);

	if (!error)
		return line_writer_open_syslog(syslog, ret_writer);
	error_text_set(ret_error,
		       "--daemon: cannot reach syslog at %s: %s\nstart it, or name a file by "
		       "--log-file",
		       path, strerror(-error));
	return error;
}

static int open_file(struct log_output *output, const char *path, struct error_text *ret_error)
{
	int fd;

	output->path = strdup(path);
	if (!output->path)
		return -ENOMEM;
	fd = log_file_open(path, ret_error);
	output->file = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

/*
 * Open the writers of stdout and stderr. If both lead to one file, they share one writer: with two,
 * lines would mix.
 */
static int open_streams(struct log_output *output)
{
	bool is_one = output->file >= 0 || are_same_file(STDOUT_FILENO, STDERR_FILENO);
	int error = line_writer_open(log_output_fd(output, LOG_STDERR),
				     &output->streams[LOG_STDERR].writer);

	if (error || is_one)
		return error;
	return line_writer_open(STDOUT_FILENO, &output->streams[LOG_STDOUT].writer);
}

static int open_target(struct log_output *output, const struct log_target *target,
		       struct error_text *ret_error)
{
	int error = 0;

	output->is_syslog = target->syslog != NULL;
	if (output->is_syslog)
		return open_syslog(target->syslog, &output->streams[LOG_STDERR].writer, ret_error);
	if (target->file)
		error = open_file(output, target->file, ret_error);
	return error ? error : open_streams(output);
}

int log_output_open(const struct log_target *target, struct log_output **ret_output,
		    struct error_text *ret_error)
{
	struct log_output *output = calloc(1, sizeof(*output));
	int error, stream;

	error_text_set(ret_error, "the log: %s", strerror(ENOMEM));
	if (!output)
		return -ENOMEM;
	output->file = output->alarm = -1;
	for (stream = 0; stream < LOG_STREAM_COUNT; stream++)
		output->streams[stream].output = output;
	error = open_target(output, target, ret_error);
	if (error) {
		log_output_close(output);
		return error;
	}
	report_set_output(log_output_writer(output, LOG_STDERR),
			  log_output_takes_priority(output, LOG_STDERR));
	*ret_output = output;
	return 0;
}

void log_output_reopen(struct log_output *output)
{
	struct error_text error;
	int fd;

	if (output->file < 0)
		return;
	fd = log_file_open(output->path, &error);
	if (fd < 0) {
		error_text_join_lines(&error);
		report(STICKY_LOG_ERROR, "log_file_kept",
		       "why=\"%s\" so=\"the file that was opened before stays in use\"",
		       error.text);
		return;
	}
	if (output->streams[LOG_STDERR].writable)
		event_del(output->streams[LOG_STDERR].writable);
	line_writer_replace(output->streams[LOG_STDERR].writer, fd);
	close(output->file);
	output->file = fd;
	if (output->redirects)
		log_output_redirect(output);
	report(STICKY_LOG_INFO, "log_file_opened", "file=\"%s\"", output->path);
	raise_alarm(output);
}

void log_output_redirect(struct log_output *output)
{
	int fd = output->file;

	output->redirects = true;
	if (fd < 0)
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (fd != output->file)
		close(fd);
}

void log_output_close(struct log_output *output)
{
	int stream;

	if (!output)
		return;
	log_output_unwatch(output);
	report_set_output(NULL, false);
	for (stream = 0; stream < LOG_STREAM_COUNT; stream++)
		line_writer_close(output->streams[stream].writer);
	if (output->file >= 0)
		close(output->file);
	free(output->path);
	free(output);
}

struct line_writer *log_output_writer(const struct log_output *output, enum log_stream stream)
{
	struct line_writer *writer = output->streams[stream].writer;

	return writer ? writer : output->streams[LOG_STDERR].writer;
}

int log_output_fd(const struct log_output *output, enum log_stream stream)
{
	if (output->file >= 0)
		return output->file;
	return stream == LOG_STDOUT ? STDOUT_FILENO : STDERR_FILENO;
}

bool log_output_is_file(const struct log_output *output)
{
	return output->file >= 0;
}

bool log_output_is_syslog(const struct log_output *output)
{
	return output->is_syslog;
}

bool log_output_takes_priority(const struct log_output *output, enum log_stream stream)
{
	return output->is_syslog || log_is_journal(log_output_fd(output, stream));
}

struct line_losses log_output_losses(const struct log_output *output)
{
	struct line_losses sum = {0};
	int stream;

	for (stream = 0; stream < LOG_STREAM_COUNT; stream++) {
		struct line_losses losses = {0};

		if (output->streams[stream].writer)
			losses = line_writer_losses(output->streams[stream].writer);
		sum.lines += losses.lines;
		sum.bytes += losses.bytes;
	}
	return sum;
}
