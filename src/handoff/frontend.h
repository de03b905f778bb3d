/* SPDX-License-Identifier: MIT */
/*
 * The frontend accepts connections in user space: those of proxies, whose first bytes name the
 * client, or all connections where the kernel may not be used. Dispatchers accept them and find the
 * client. Delivery passes them to the worker of the client's slot.
 */
#ifndef STICKY_HANDOFF_FRONTEND_H
#define STICKY_HANDOFF_FRONTEND_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error_text.h"
#include "config/config.h"
#include "handoff/carried.h"
#include "handoff/delivery.h"
#include "handoff/exits.h"
#include "handoff/traffic.h"
#include "sticky.h"

struct frontend;

struct frontend_options {
	struct event_base *base;
	struct sticky_group *group; /* its listeners have been added */
	const struct config *config;
	struct traffic *traffic; /* counters; owned by the caller, like the next two */
	struct head_counters *heads;
	struct exit_counters *exits;
	bool accepts_all; /* all connections are accepted here, not only those of proxies */
};

/*
 * Open a frontend. It accepts no connections before frontend_start().
 *
 * ret_error  a message for the user
 *
 * Returns 0, -EBADMSG (a file of ranges is bad, or can't be read), or another -errno.
 */
int frontend_open(const struct frontend_options *options, struct frontend **ret_frontend,
		  struct error_text *ret_error);

/* Start the dispatchers: connections are accepted from now on. Returns 0 or -errno. */
int frontend_start(struct frontend *frontend);

/*
 * Apply a changed configuration: limits, trusted ranges, header. If a file of ranges can't be read,
 * the dispatchers keep their previous rules.
 *
 * Returns 0, or -errno with the reason in ret_error.
 */
int frontend_apply_config(struct frontend *frontend, struct error_text *ret_error);

/*
 * Stop accepting, for good. Connections that have been accepted are passed on. Those whose slot has
 * no worker are answered with an error. NULL is allowed.
 */
void frontend_stop(struct frontend *frontend);

/*
 * Stop accepting, as another program is about to take this one's place. New connections wait in the
 * sockets' queues, in the kernel. NULL is allowed.
 *
 * ret_carried  the accepted connections that this process still has: they wait for the worker of
 *              their slot or for the rest of their head, or their worker has not accepted them
 *              yet. Freed by the caller
 *
 * Returns 0, or -ENOMEM: the frontend then goes on as before, but for the connections for which
 * there was no memory. These are closed, and counted.
 */
int frontend_pause(struct frontend *frontend, struct carried *ret_carried);

/*
 * Accept again after frontend_pause(), because the other program did not start. A failure is
 * logged. NULL is allowed.
 *
 * carried  the connections that frontend_pause() has returned
 */
void frontend_resume(struct frontend *frontend, const struct carried *carried);

/*
 * Continue with the connections that the program before an upgrade has carried over. Call this
 * before frontend_start(). The connections are closed if `frontend` is NULL.
 */
void frontend_take_in(struct frontend *frontend, const struct carried *carried);

/*
 * Close and count the connections on the way to workers that have not been taken over. Call this
 * when all workers of the previous program have been taken over. NULL is allowed.
 */
void frontend_end_takeover(struct frontend *frontend);

/*
 * List the dispatchers' sockets, for the program that takes this one's place. That program closes
 * them once it has its own, and the kernel then moves their queues there.
 *
 * Returns their number, at most `size`.
 */
uint32_t frontend_sockets(const struct frontend *frontend, uint32_t size, int *ret_fds);

/* Close the frontend and all its connections. NULL is allowed. */
void frontend_close(struct frontend *frontend);

/* Returns the delivery; NULL if `frontend` is NULL. */
struct delivery *frontend_delivery(const struct frontend *frontend);

/*
 * Is a peer one of the trusted proxies, whose connections name their clients themselves? If
 * `frontend` is NULL, no peer is.
 */
bool frontend_trusts(const struct frontend *frontend, const struct sockaddr *peer);

/*
 * Count connections, for the status: those that wait for their worker, those that are about to, and
 * those whose head is not complete. NULL is allowed: 0.
 */
uint32_t frontend_waiting(const struct frontend *frontend);
uint32_t frontend_submitted(const struct frontend *frontend);
uint32_t frontend_pending(const struct frontend *frontend);

#endif
