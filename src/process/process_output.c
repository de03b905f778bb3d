// SPDX-License-Identifier: MIT
/* Routes the output of a worker process: --worker-log, --log-format. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/log.h"
#include "process/process_internal.h"
#include "supervise/worker.h"

static const char *const stream_names[LOG_STREAM_COUNT] = {
	[LOG_STDOUT] = "stdout",
	[LOG_STDERR] = "stderr",
};

static const struct processes_options *options_of(const struct process *process)
{
	return &process->processes->options;
}

static void find_origin(const struct process *process, enum log_stream stream,
			struct line_origin *ret_origin)
{
	*ret_origin = (struct line_origin){
		.slot = worker_slot(process->worker),
		.generation = worker_generation(process->worker),
		.shows_generation = worker_has_company(process->worker),
		.pid = process->pid,
		.stream = stream_names[stream],
	};
}

static void find_origin_of_stdout(void *context, struct line_origin *ret_origin)
{
	find_origin(context, LOG_STDOUT, ret_origin);
}

static void find_origin_of_stderr(void *context, struct line_origin *ret_origin)
{
	find_origin(context, LOG_STDERR, ret_origin);
}

/*
 * Choose the form of the workers' output. By default, each line on a terminal has the worker's slot
 * in front, and elsewhere bytes are passed on as they are.
 */
static enum output_form choose_form(const struct processes_options *options)
{
	bool is_terminal = isatty(log_output_fd(options->log_output, LOG_STDERR));
	uint32_t mode = options->config->worker_log;

	if (log_output_is_syslog(options->log_output))
		return report_format() == LOG_FORMAT_JSON ? OUTPUT_JSON : OUTPUT_PREFIX;
	if (mode == WORKER_LOG_RAW || (mode == WORKER_LOG_AUTO && !is_terminal))
		return OUTPUT_RAW;
	return report_format() == LOG_FORMAT_JSON ? OUTPUT_JSON : OUTPUT_PREFIX;
}

int process_open_source(struct process *process, int fd, enum log_stream stream,
			struct output_source **ret_source)
{
	const struct processes_options *options = options_of(process);
	const struct output_route route = {
		.writer = log_output_writer(options->log_output, stream),
		.form = choose_form(options),
		.has_priority = log_output_takes_priority(options->log_output, stream),
		.ring = options->ring,
		.tail = stream == LOG_STDOUT ? process->tail : process->error_tail,
		.begun = &process->processes->begun,
		.origin = stream == LOG_STDOUT ? find_origin_of_stdout : find_origin_of_stderr,
		.context = process,
	};

	return output_source_open(options->base, fd, &route, ret_source);
}

/* Open a pipe, and a source that reads from it. */
static int open_pipe(struct process *process, enum log_stream stream,
		     struct output_source **ret_source, int *ret_write_end)
{
	int ends[2], error;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	error = process_open_source(process, ends[0], stream, ret_source);
	if (error) {
		close(ends[0]);
		close(ends[1]);
		return error;
	}
	*ret_write_end = ends[1];
	return 0;
}

static int duplicate(int fd, int *ret_fd)
{
	*ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return *ret_fd < 0 ? -errno : 0;
}

int process_open_streams(struct process *process, int ret_ends[LOG_STREAM_COUNT])
{
	const struct processes_options *options = options_of(process);
	int error;

	if (options->config->worker_log == WORKER_LOG_INHERIT) {
		error = duplicate(log_output_fd(options->log_output, LOG_STDOUT),
				  &ret_ends[LOG_STDOUT]);
		return error ? error
			     : duplicate(log_output_fd(options->log_output, LOG_STDERR),
					 &ret_ends[LOG_STDERR]);
	}
	error = open_pipe(process, LOG_STDOUT, &process->output, &ret_ends[LOG_STDOUT]);
	return error ? error
		     : open_pipe(process, LOG_STDERR, &process->error_output,
				 &ret_ends[LOG_STDERR]);
}

int process_kept_end(const struct process *process, const struct output_source *source)
{
	return source ? output_source_fd(source) : process->processes->null;
}
