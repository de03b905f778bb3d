/* SPDX-License-Identifier: MIT */
/*
 * How a worker's life is run: as a process (processes.c), or as a thread of this process
 * (the demo). The supervisor decides what happens, a backend does it, and tells what
 * became of it by supervisor_worker_...(), from the controller's own loop.
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

/* How a life ended. */
struct run_exit {
	bool ok;		       /* by itself, with success */
	int code;		       /* exit code; -1: ended by a signal */
	int signal;		       /* 0: ended by itself */
	char text[RUN_EXIT_TEXT_SIZE]; /* "exited with code 1" */
	const char *hint;	       /* what to do about it; NULL: nothing known */
};

struct worker_backend_ops {
	/*
	 * Begin a life on the sockets of `life`. Returns 0 or -errno: it did not begin. The
	 * run stays until release().
	 */
	int (*start)(void *context, struct worker *worker, struct sticky_worker *life,
		     void **ret_handle);
	/*
	 * Take over a life that another process began; NULL: can't be. The pidfd is taken over.
	 * Returns 0 or -errno.
	 */
	int (*adopt)(void *context, struct worker *worker, pid_t pid, int pidfd, void **ret_handle);
	/*
	 * The polite stop: finish what you have. Returns false where it is told a little later:
	 * then worker_stop_requested() follows.
	 */
	bool (*stop)(void *handle);
	/* The end, at once, with everything that it started. */
	void (*kill)(void *handle);
	/* The life is over and was reported: free the run. */
	void (*release)(void *handle);
	/* Process id, or thread id. */
	pid_t (*pid)(const void *handle);
	/* What the life printed last: whole lines, at most `size` bytes with the end. */
	void (*last_lines)(const void *handle, size_t size, char *ret_text);
	/* What `count` lives use: in one go, as it means a walk through /proc. */
	void (*measure)(void *context, void *const *handles, uint32_t count,
			struct run_usage *ret_usages);
};

struct worker_backend {
	const struct worker_backend_ops *ops;
	void *context;
};

#endif
