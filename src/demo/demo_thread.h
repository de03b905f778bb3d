/* SPDX-License-Identifier: MIT */
/*
 * One thread of the demo: an HTTP server on a worker's sockets. It uses libsticky's public
 * interface and libevent, but no code of the controller.
 */
#ifndef STICKY_DEMO_DEMO_THREAD_H
#define STICKY_DEMO_DEMO_THREAD_H

#include <stdint.h>
#include <sys/types.h>

#include "sticky.h"

struct demo_thread;

enum demo_thread_state { DEMO_THREAD_STARTING, DEMO_THREAD_SERVING, DEMO_THREAD_ENDED };

/*
 * Start a thread that serves on a worker's sockets. The thread uses duplicates of the sockets, so
 * that it can finish its requests after the worker has been closed.
 *
 * notify_fd  an eventfd; the thread writes to it each time its state changes
 *
 * Returns 0 or -errno.
 */
int demo_thread_start(struct sticky_group *group, struct sticky_worker *worker, int notify_fd,
		      struct demo_thread **ret_thread);

/* Ask the thread to stop accepting, to answer the requests that it has, and to end. */
void demo_thread_stop(struct demo_thread *thread);

/* Ask the thread to end at once, even if clients are connected. */
void demo_thread_kill(struct demo_thread *thread);

/* Free the thread, which must have ended (DEMO_THREAD_ENDED). */
void demo_thread_join(struct demo_thread *thread);

/* Returns the state of the thread. This function and those below may be called while it runs. */
enum demo_thread_state demo_thread_state(const struct demo_thread *thread);

/* Returns the thread's id, as gettid() reports it; 0: it has not begun yet. */
pid_t demo_thread_id(const struct demo_thread *thread);

/* Returns the number of open connections on which a request has arrived. */
uint32_t demo_thread_connections(const struct demo_thread *thread);

/* Returns the CPU time that the thread has used, in milliseconds. */
uint64_t demo_thread_cpu_ms(const struct demo_thread *thread);

#endif
