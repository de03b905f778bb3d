/* SPDX-License-Identifier: MIT */
/*
 * The frontend: connections that come into our own hands, as a proxy stands before their clients,
 * or as the kernel may not steer them. Dispatchers accept them and find the client, delivery
 * passes them to the slot's worker.
 */
#ifndef STICKY_HANDOFF_FRONTEND_H
#define STICKY_HANDOFF_FRONTEND_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "handoff/delivery.h"
#include "handoff/traffic.h"
#include "sticky.h"

struct frontend;

struct frontend_options {
	struct event_base *base;
	struct sticky_group *group; /* with its listeners */
	const struct config *config;
	struct traffic *traffic; /* counters; stay the caller's */
	bool is_user;		 /* all connections come here, not those of proxies alone */
};

/*
 * Make what passes connections on; nobody comes yet.
 *
 * ret_error  what is wrong, error_size bytes
 *
 * Returns 0, -EBADMSG (a file of ranges is bad, or can't be read), or another -errno.
 */
int frontend_open(const struct frontend_options *options, size_t error_size, char *ret_error,
		  struct frontend **ret_front);

/* From now on connections come. Returns 0 or -errno. */
int frontend_start(struct frontend *frontend);

/*
 * The configuration has changed: ranges, header, limits. Where a file of ranges can't be read
 * the former ranges stay.
 *
 * Returns 0 or -errno, with the reason.
 */
int frontend_apply_config(struct frontend *frontend, size_t error_size, char *ret_error);

/* Nobody comes any more; who came is passed on, or waits. */
void frontend_stop(struct frontend *frontend);

/*
 * Another program takes this one's place: whoever came is passed on, who comes meanwhile waits in
 * the sockets' queues, in the kernel. NULL is allowed.
 *
 * Returns 0, or -EBUSY: somebody waits with us, and would be lost; it goes on as before.
 */
int frontend_pause(struct frontend *frontend);

/* It did not: go on. Logs a failure: connections of proxies then wait for dispatchers. */
void frontend_resume(struct frontend *frontend);

/*
 * The dispatchers' sockets, for the program that follows: it closes them once it has its own, and
 * the kernel moves their queues there.
 *
 * Returns how many, at most `size`.
 */
uint32_t frontend_sockets(const struct frontend *frontend, uint32_t size, int *ret_fds);

/* NULL is allowed. */
void frontend_close(struct frontend *frontend);

/* NULL where there is no frontend. */
struct delivery *frontend_delivery(const struct frontend *frontend);

/* For status. A frontend that is NULL has none of them. */
uint32_t frontend_waiting(const struct frontend *frontend);
uint32_t frontend_pending(const struct frontend *frontend);

#endif
