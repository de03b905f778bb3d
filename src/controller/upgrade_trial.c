// SPDX-License-Identifier: MIT
#include "controller/upgrade_trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/exit_code.h"
#include "common/sanitize.h"

/* The time for the answer. It takes some 50 ms; a program that is no stickyctl may never end. */
#define ANSWER_MAX_MS 3000
#define OUTPUT_MAX    4096

struct upgrade_trial {
	upgrade_trial_fn *fn;
	void *context;
	const char *path;
	int pidfd;
	int output_fd;
	struct event *output;
	uint64_t until_ms;     /* by clock_ms(): the program must have ended by then */
	char text[OUTPUT_MAX]; /* the program's output so far */
	size_t length;
};

/* ---- The program's output ----------------------------------------------------------- */

static void cut_empty_lines(char *text)
{
	size_t length = strlen(text);

	while (length && text[length - 1] == '\n')
		text[--length] = '\0';
}

/* Cut the verdict off. Returns its exit code, or -1 if there is no verdict. */
static int take_verdict(char *text)
{
	char *line;
	int code = -1;

	cut_empty_lines(text);
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	if (sscanf(line, UPGRADE_VERDICT " %d", &code) != 1 || code < 0)
		return -1;
	*line = '\0';
	cut_empty_lines(text);
	return code;
}

/*
 * Make one line of the program's message, without its "stickyctl: ", which would look like our own.
 */
static void make_line(const char *text, struct error_text *ret_line)
{
	static const char name[] = "stickyctl";
	const char *colon = strstr(text, ": ");

	if (!strncmp(text, name, sizeof(name) - 1) && colon)
		text = colon + 2;
	error_text_set(ret_line, "%.400s", text);
	error_text_join_lines(ret_line);
}

static void judge(struct upgrade_trial *trial)
{
	struct error_text why = {""}, line;
	int code;

	trial->text[trial->length] = '\0';
	text_clean(trial->text);
	code = take_verdict(trial->text);
	make_line(trial->text, &line);
	if (code < 0)
		error_text_set(&why,
			       "%s is no stickyctl that can go on with this instance%s%s; install "
			       "one there, or stop and start",
			       trial->path, line.text[0] ? ": " : "", line.text);
	else if (code != EXIT_DONE)
		error_text_set(&why, "%s would not start: %s", trial->path, line.text);
	if (code != EXIT_DONE && code != EXIT_NOT_PERMITTED && code != EXIT_BAD_CONFIG)
		code = EXIT_FAILED;
	trial->fn(trial->context, code, why.text);
}

static void on_output(evutil_socket_t fd, short what, void *context)
{
	struct upgrade_trial *trial = context;
	struct error_text why;
	ssize_t length;

	if (what & EV_TIMEOUT || clock_ms() >= trial->until_ms) {
		error_text_set(&why, "%s does not say within %d s whether it can go on; try again",
			       trial->path, ANSWER_MAX_MS / 1000);
		trial->fn(trial->context, EXIT_FAILED, why.text);
		return;
	}
	length = read(fd, trial->text + trial->length, OUTPUT_MAX - 1 - trial->length);
	if (length > 0)
		trial->length += (size_t)length;
	else if (length == 0 || (errno != EAGAIN && errno != EINTR))
		judge(trial);
}

/* ---- Running the program -------------------------------------------------------------- */

static int prepare(posix_spawn_file_actions_t *actions, int output)
{
	int error =
		posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (!error)
		error = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO);
	return error;
}

/*
 * Start the program. Returns a pidfd, or -errno. The process is reaped like an orphan: see
 * process_reap().
 */
static int spawn(const char *path, char **words, int output)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int error = posix_spawn_file_actions_init(&actions), pidfd;

	if (error)
		return -error;
	error = prepare(&actions, output);
	if (!error)
		error = posix_spawn(&pid, path, &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		return -error;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd >= 0)
		return pidfd;
	error = -errno;
	kill(pid, SIGKILL);
	return error;
}

static int run(const char *path, char *const *arguments, int output)
{
	char program[] = "stickyctl", word[] = "upgrade-check", version[16];
	size_t count = 0;
	char **words;
	int pidfd;

	snprintf(version, sizeof(version), "%d", UPGRADE_VERSION);
	while (arguments[count])
		count++;
	words = calloc(count + 4, sizeof(*words));
	if (!words)
		return -ENOMEM;
	words[0] = program;
	words[1] = word;
	words[2] = version;
	memcpy(words + 3, arguments, count * sizeof(*words));
	pidfd = spawn(path, words, output);
	free(words);
	return pidfd;
}

/* Start the program, and watch its output. Returns 0 or -errno. */
static int start(struct upgrade_trial *trial, char *const *arguments)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	trial->output_fd = ends[0];
	trial->pidfd = run(trial->path, arguments, ends[1]);
	close(ends[1]);
	if (trial->pidfd < 0)
		return trial->pidfd;
	return fcntl(ends[0], F_SETFL, O_NONBLOCK) ? -errno : 0;
}

static int watch(struct upgrade_trial *trial, struct event_base *base)
{
	static const struct timeval limit = {.tv_sec = ANSWER_MAX_MS / 1000};

	trial->until_ms = clock_ms() + ANSWER_MAX_MS;
	trial->output = event_new(base, trial->output_fd, EV_READ | EV_PERSIST, on_output, trial);
	return trial->output && !event_add(trial->output, &limit) ? 0 : -ENOMEM;
}

int upgrade_trial_open(struct event_base *base, const char *path, char *const *arguments,
		       upgrade_trial_fn *fn, void *context, struct upgrade_trial **ret_trial,
		       struct error_text *ret_error)
{
	struct upgrade_trial *trial = calloc(1, sizeof(*trial));
	int error = trial ? 0 : -ENOMEM;

	if (trial) {
		*trial = (struct upgrade_trial){
			.fn = fn, .context = context, .path = path, .pidfd = -1, .output_fd = -1};
		error = start(trial, arguments);
		if (!error)
			error = watch(trial, base);
	}
	if (error) {
		error_text_set(ret_error,
			       "cannot run %s: %s; install a stickyctl there that can be run", path,
			       strerror(-error));
		upgrade_trial_close(trial);
		return error;
	}
	*ret_trial = trial;
	return 0;
}

void upgrade_trial_close(struct upgrade_trial *trial)
{
	if (!trial)
		return;
	if (trial->output)
		event_free(trial->output);
	if (trial->output_fd >= 0)
		close(trial->output_fd);
	if (trial->pidfd >= 0) {
		syscall(SYS_pidfd_send_signal, trial->pidfd, SIGKILL, NULL, 0);
		close(trial->pidfd);
	}
	free(trial);
}
