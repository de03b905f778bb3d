// SPDX-License-Identifier: MIT
#include "controller/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/exit_code.h"

static sigset_t stop_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGHUP);
	return set;
}

/* Pass a signal on to the child. SIGHUP, of a terminal that is closed, becomes SIGTERM. */
static void pass_on(int signals, pid_t child)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) == sizeof(info))
		kill(child, info.ssi_signo == SIGHUP ? SIGTERM : (int)info.ssi_signo);
}

/* Wait until the child says that it has started. Returns false if it has ended instead. */
static bool wait_for_word(int word, int signals, pid_t child)
{
	struct pollfd pollers[] = {{.fd = word, .events = POLLIN},
				   {.fd = signals, .events = POLLIN}};
	char byte;

	for (;;) {
		if (poll(pollers, 2, -1) < 0 && errno != EINTR)
			return false;
		if (pollers[1].revents & POLLIN)
			pass_on(signals, child);
		if (pollers[0].revents)
			return read(word, &byte, 1) == 1;
	}
}

static int exit_code_of(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILED;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "stickyctl: the controller was killed by SIG%s while it started\n",
		sigabbrev_np(WTERMSIG(status)));
	return EXIT_FAILED;
}

static int wait_for_child(int word, int signals, pid_t child)
{
	int exit_code;

	if (wait_for_word(word, signals, child))
		return EXIT_DONE;
	exit_code = exit_code_of(child);
	if (exit_code != EXIT_DONE)
		return exit_code;
	fputs("stickyctl: it was stopped before all slots were ready\n", stderr);
	return EXIT_FAILED;
}

static int begin_child(int pair[2], const sigset_t *mask, int *ret_starter)
{
	close(pair[0]);
	setsid();
	sigprocmask(SIG_SETMASK, mask, NULL);
	*ret_starter = pair[1];
	return 1;
}

int daemon_begin(int *ret_starter, int *ret_exit_code)
{
	sigset_t set = stop_signals(), mask;
	int pair[2], signals, error = 0;
	pid_t child;

	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return -errno;
	if (pipe2(pair, O_CLOEXEC)) {
		error = -errno;
		close(signals);
		return error;
	}
	sigprocmask(SIG_BLOCK, &set, &mask);
	child = fork();
	if (child == 0) {
		close(signals);
		return begin_child(pair, &mask, ret_starter);
	}
	if (child < 0)
		error = -errno;
	close(pair[1]);
	if (child > 0)
		*ret_exit_code = wait_for_child(pair[0], signals, child);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(signals);
	close(pair[0]);
	return error;
}

void daemon_say_started(int starter)
{
	ssize_t length = write(starter, "", 1);

	(void)length; /* it fails if the waiting process was killed */
	close(starter);
}
