/* SPDX-License-Identifier: MIT */
/*
 * A worker that may bind its address itself. A seccomp filter stops its bind() and listen(), and
 * those of the processes that it starts. If a bind() asks for a listener's address, the socket of
 * the worker's slot takes the place of the worker's own socket, and the call succeeds. Every other
 * call is done by the kernel, as if there were no filter.
 */
#ifndef STICKY_BIND_BIND_WORKER_H
#define STICKY_BIND_BIND_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

struct worker; /* the supervisor's */
struct bind_worker;
struct bind_workers; /* bind_workers.h */

/*
 * Prepare a worker that is about to be forked.
 *
 * ret_child_end  the child sends the descriptor of its filter there; the caller closes it
 *
 * Returns 0 or -errno.
 */
int bind_worker_open(struct bind_workers *workers, struct worker *worker, int *ret_child_end,
		     struct bind_worker **ret_worker);

/* Set the pid of the worker, after fork(). */
void bind_worker_set_pid(struct bind_worker *worker, pid_t pid);

/* Has the worker, or a process that it started, bound the address of a listener? */
bool bind_worker_has_bound(const struct bind_worker *worker);

/*
 * Continue with a worker that a previous controller started, and that has its slot or has left it.
 *
 * Returns 0; -ENOENT: the worker has no filter; or another -errno.
 */
int bind_worker_adopt(struct bind_workers *workers, struct worker *worker, pid_t pid,
		      struct bind_worker **ret_worker);

/*
 * Close a worker that has ended. Processes that it started may live on: the kernel does their
 * calls. NULL is allowed.
 */
void bind_worker_close(struct bind_worker *worker);

/* Give the descriptors of all workers' filters to a keeper that has just been started. */
void bind_worker_keep(const struct bind_workers *workers);

#endif
