/* SPDX-License-Identifier: MIT */
/* One thread's event loop: an epoll instance, what it watches, and timers. */
#ifndef TESTS_WORKER_LOOP_H
#define TESTS_WORKER_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct watch;
struct worker;

typedef void watch_fn(struct loop *loop, struct watch *watch);

/* an object whose descriptor is watched; epoll events point to it */
struct watch {
	watch_fn *handle;
	int fd;
};

/*
 * One thread: its own epoll instance for all listening sockets, and the connections that it
 * accepted.
 */
struct loop {
	struct worker *worker;
	pthread_t thread;
	struct watch stop; /* an eventfd that all loops share, and that is never read */
	int epoll;
	unsigned int connections;
	bool draining;
};

void loop_init(struct loop *loop, struct worker *worker, int stop, watch_fn *handle_stop);

/* Handle events until the loop is draining and has no connection. For pthread_create(). */
void *loop_run(void *loop);

/* events  EPOLLIN, ... */
void loop_watch(struct loop *loop, struct watch *watch, uint32_t events);
void loop_unwatch(struct loop *loop, struct watch *watch);

/*
 * Call the handler once, after this many milliseconds. The handler closes the timer's descriptor.
 */
void loop_start_timer(struct loop *loop, struct watch *timer, unsigned int delay_ms,
		      watch_fn *handle);

#endif
