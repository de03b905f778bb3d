/* SPDX-License-Identifier: MIT */
/*
 * Runs workers: as processes (processes.c), or as threads of this process (the demo). The
 * supervisor decides what happens, and a backend does it. The backend reports what happened to a
 * worker by the functions of worker_messages.h, worker_channel.h and worker_exit.h, from the
 * controller's own loop.
 */
#ifndef STICKY_SUPERVISE_WORKER_BACKEND_H
#define STICKY_SUPERVISE_WORKER_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "procfs/run_usage.h"
#include "sticky.h"

struct worker; /* the supervisor's */

#define RUN_EXIT_TEXT_SIZE 256

/* How a worker ended. */
struct run_exit {
	bool ok;		       /* it exited with success */
	int code;		       /* exit code; -1: ended by a signal */
	int signal;		       /* 0: ended by itself */
	char text[RUN_EXIT_TEXT_SIZE]; /* "exited with code 1" */
	const char *hint;	       /* what the user can do about it; NULL: not known */
};

/* The operations of a backend. `handle` is what start() or adopt() returned for a worker. */
struct worker_backend_ops {
	/*
	 * Begin a worker on its listening sockets.
	 *
	 * ret_handle  valid until release(); untouched on an error
	 *
	 * Returns 0 or -errno: it did not begin.
	 */
	int (*start)(void *context, struct worker *worker, struct sticky_worker *sockets,
		     void **ret_handle);
	/*
	 * Take over a worker that another process began. NULL: this backend can't.
	 *
	 * pidfd  taken over, also on an error
	 *
	 * Returns 0 or -errno.
	 */
	int (*adopt)(void *context, struct worker *worker, pid_t pid, int pidfd, void **ret_handle);
	/*
	 * Ask the worker to finish the connections that it has, and to end.
	 *
	 * Returns true if the worker has been asked. False: it will be asked later, and
	 * worker_stop_requested() is called then.
	 */
	bool (*stop)(void *handle);
	/* End the worker at once, with every process that it started. */
	void (*kill)(void *handle);
	/* Free the handle, after the worker has ended and worker_exited() was called. */
	void (*release)(void *handle);
	/* Returns the process id or the thread id; 0: there is none yet. */
	pid_t (*pid)(const void *handle);
	/*
	 * Copy the last lines that the worker printed. Only whole lines are copied.
	 *
	 * size  of ret_text, in bytes with the final NUL; "" if it printed nothing
	 */
	void (*last_lines)(const void *handle, size_t size, char *ret_text);
	/*
	 * Measure what `count` workers use, all at once: it costs a walk through /proc.
	 *
	 * ret_usages  `count` elements; zero if a worker could not be measured
	 */
	void (*measure)(void *context, void *const *handles, uint32_t count,
			struct run_usage *ret_usages);
};

/* A backend, and its own data `context`, the first argument of some operations. */
struct worker_backend {
	const struct worker_backend_ops *ops;
	void *context;
};

#endif
