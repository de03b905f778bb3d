/* SPDX-License-Identifier: MIT */
/*
 * One thread of the demo: an HTTP server on a worker's sockets. It knows libsticky's public
 * interface and libevent, and nothing of the controller.
 */
#ifndef STICKY_CLI_DEMO_THREAD_H
#define STICKY_CLI_DEMO_THREAD_H

#include <stdint.h>
#include <sys/types.h>

#include "sticky.h"

struct demo_thread;

enum demo_thread_state { DEMO_THREAD_STARTING, DEMO_THREAD_SERVING, DEMO_THREAD_ENDED };

/*
 * Start a thread that serves on a worker's sockets: on duplicates of them, so that it may finish
 * what it has after the worker was closed.
 *
 * notify_fd  an eventfd that is written to at each change of its state
 *
 * Returns 0 or -errno.
 */
int demo_thread_start(struct sticky_group *group, struct sticky_worker *worker, int notify_fd,
		      struct demo_thread **ret_thread);

/* Accept no more, answer what is there, then end. */
void demo_thread_stop(struct demo_thread *thread);

/* End now, whoever is connected. */
void demo_thread_kill(struct demo_thread *thread);

/* It must have ended. */
void demo_thread_join(struct demo_thread *thread);

enum demo_thread_state demo_thread_state(const struct demo_thread *thread);
pid_t demo_thread_id(const struct demo_thread *thread);
uint32_t demo_thread_connections(const struct demo_thread *thread);
uint64_t demo_thread_cpu_ms(const struct demo_thread *thread);

#endif
