/* SPDX-License-Identifier: MIT */
/* The command line: what the worker does, and which faults it simulates. */
#ifndef TESTS_WORKER_OPTIONS_H
#define TESTS_WORKER_OPTIONS_H

#include <stdbool.h>

#define THREADS_MAX 64
#define BINDS_MAX   4

struct options {
	bool banner;
	bool notify;
	bool no_accept;
	bool ignore_term;
	bool exit_on_term;
	bool fork_child;
	bool print_fds;
	bool watchdog;
	unsigned int threads;
	unsigned int accept_pause_ms;
	unsigned int shut_after_ms;
	unsigned int stopping_after_ms;
	unsigned int grow_mib;
	unsigned int notify_delay_ms;
	unsigned int accept_after_ms;
	unsigned int exit_after_ms;
	bool exits;
	int exit_code;
	const char *status;
	const char *binds[BINDS_MAX];
	unsigned int bind_count; /* 0: the worker takes the sockets that LISTEN_FDS announces */
	const char *tally;	 /* path of the file; NULL: none */
};

/*
 * Parse the command line. Exits on a mistake and after --help. --stdout and --stderr are printed at
 * once.
 */
void options_parse(int argc, char **argv, struct options *options);

#endif
