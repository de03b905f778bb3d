/* SPDX-License-Identifier: MIT */
/*
 * The control interface: HTTP with JSON over a UNIX socket, for the instance's own uid and root.
 *
 *   GET  /v1/status                       the state of the instance
 *   GET  /v1/where?address=A              which slot a client belongs to
 *   GET  /v1/clients[?slot=N&limit=N]     the clients with the most open connections
 *   GET  /v1/events[?follow=1]            the last events, one line each; with follow also new ones
 *   GET  /v1/logs[?slot=N&lines=N&follow=1]  the last lines of the workers, one JSON object each
 *   GET  /v1/metrics                      the state as Prometheus text, or OpenMetrics by Accept
 *   POST /v1/stop[?now=1]                 answered when all workers have ended
 *   POST /v1/reload[?wait=ready|drained]  with wait: its events, one line each, up to its end
 *   POST /v1/scale?slots=N|+N|-N          answered with the number of buckets that moved
 *   POST /v1/upgrade                      answered before the upgrade begins, with its number. The
 *                                         upgrade has succeeded when the status has another
 *                                         "started_at". It has failed when "upgrade" in the status
 *                                         has this number and the state "failed"
 *   POST /v1/drain?slot=N  /v1/ready?slot=N  /v1/restart?slot=N
 *
 * An error is {"error": "what is wrong"} with a status of 400 or above: 400 for a bad value, 403
 * for another user, 409 for what is not possible now.
 */
#ifndef STICKY_API_API_H
#define STICKY_API_API_H

#include <event2/event.h>
#include <stdbool.h>

#include "api/instance.h"
#include "common/error_text.h"

struct api;

#define HTTP_BAD_CONFIG 422 /* stickyctl exits with 78 at this HTTP status */

/* Functions that the interface calls to let the controller act. */
struct api_orders {
	/* at POST /v1/stop: stop the instance */
	void (*stop)(void *context, bool now);
	/* at POST /v1/reload: see controller_reload() */
	int (*reload)(void *context, struct error_text *ret_text);
	/*
	 * at POST /v1/upgrade: check that an upgrade is possible; return 0, or -errno with the
	 * reason in ret_error
	 */
	int (*may_upgrade)(void *context, struct error_text *ret_error);
	/*
	 * when the answer to POST /v1/upgrade has been sent: replace the program; if this fails,
	 * the instance's `upgrade` says why
	 */
	void (*upgrade)(void *context);
	/* when the last answer of api_answer_stop() has been sent */
	void (*answered)(void *context);
	void *context;
};

/*
 * Open the control socket, and serve requests.
 *
 * path      of the socket; an existing file there is removed, as it belongs to this instance
 * instance  the instance that the answers describe; must outlive the interface
 *
 * Returns 0 or -errno.
 */
int api_open(struct event_base *base, const char *path, const struct instance *instance,
	     const struct api_orders *orders, struct api **ret_api);

/* Close the control socket and all its connections. NULL is allowed. */
void api_close(struct api *api);

/*
 * Answer the clients that wait for the stop.
 *
 * killed  true: some workers had to be killed
 *
 * Returns the number of answers that are being sent. The loop must run until `answered` is called.
 */
unsigned int api_answer_stop(struct api *api, bool killed);

#endif
