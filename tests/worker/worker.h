/* SPDX-License-Identifier: MIT */
/* The state of the whole program: its loops, and the data that they share. */
#ifndef TESTS_WORKER_WORKER_H
#define TESTS_WORKER_WORKER_H

#include <stdatomic.h>

#include "loop.h"
#include "options.h"

#define LISTENERS_MAX 64

struct worker {
	struct options options;
	const char *slot;
	const char *generation;
	struct watch listeners[LISTENERS_MAX];
	unsigned int listener_count;
	struct loop loops[THREADS_MAX];
	atomic_uint accepting_loops; /* the last one to stop closes the listening sockets */
	struct watch signals, notify_timer, accept_timer, exit_timer;
	struct watch watchdog_timer, shut_timer, stopping_timer;
};

#endif
