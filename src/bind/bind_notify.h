/* SPDX-License-Identifier: MIT */
/*
 * Receives and answers the stopped calls of a worker, by the descriptor of its filter:
 * seccomp_unotify(2). The calling thread, of the worker or of a process that descends from it,
 * sleeps in its system call until the answer.
 */
#ifndef STICKY_BIND_BIND_NOTIFY_H
#define STICKY_BIND_BIND_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A stopped bind() or listen(). */
struct bind_call {
	uint64_t id;
	pid_t tid; /* of the calling thread; 0: the thread is in another PID namespace */
	bool is_listen;
	int number;	  /* the descriptor's number, as the caller gave it */
	uint64_t address; /* of bind(): place of the address in the caller's memory */
	uint64_t length;  /* of the address: BIND_FILTER_LENGTH_MIN to _MAX */
};

/*
 * Receive the next stopped call, without waiting.
 *
 * Returns 0; -EAGAIN: there is none; -EPIPE: no process with this filter is left; or another
 * -errno.
 */
int bind_notify_receive(int fd, struct bind_call *ret_call);

/*
 * Does the caller still wait? If it does, everything that was read of its memory and its
 * descriptors before is really the caller's, and not that of a process that got the same pid.
 */
bool bind_notify_is_waiting(int fd, const struct bind_call *call);

/*
 * Put a socket in the place of the descriptor that the caller named.
 *
 * close_on_exec  set FD_CLOEXEC on the caller's descriptor
 *
 * Returns 0 or -errno; -ENOENT: the caller does not wait any more.
 */
int bind_notify_give(int fd, const struct bind_call *call, int socket, bool close_on_exec);

/*
 * End the caller's system call.
 *
 * error  0: the call succeeds; else the positive errno with which it fails
 *
 * Returns 0 or -errno; -ENOENT: the caller does not wait any more.
 */
int bind_notify_answer(int fd, const struct bind_call *call, int error);

/*
 * Let the kernel do the caller's system call, with the caller's rights. Returns as
 * bind_notify_answer().
 */
int bind_notify_continue(int fd, const struct bind_call *call);

#endif
