/* SPDX-License-Identifier: MIT */
/*
 * The control interface: HTTP with JSON over a UNIX socket, for our own uid and root.
 *
 *   GET  /v1/status                       the instance
 *   GET  /v1/where?address=A              where a client goes
 *   GET  /v1/events[?follow=1]            what happened, a line each; and what happens
 *   POST /v1/stop[?now=1]                 answered when all workers are gone
 *   POST /v1/reload[?wait=ready|drained]  with wait: its events, a line each, up to its end
 *   POST /v1/scale?slots=N|+N|-N          how many buckets moved
 *   POST /v1/upgrade                      answered, then the program is replaced
 *   POST /v1/drain?slot=N  /v1/ready?slot=N  /v1/restart?slot=N
 *
 * An error is {"error": "what is wrong"} with a status of 400 and up: 400 what was asked for
 * is no such thing, 403 who asks, 409 not now.
 */
#ifndef STICKY_API_API_H
#define STICKY_API_API_H

#include <event2/event.h>
#include <stdbool.h>

#include "api/instance.h"

struct api;

#define API_ERROR_SIZE 1024

#define HTTP_BAD_CONFIG 422 /* the status that goes with exit code 78 */

/* What the controller does for the interface. */
struct api_orders {
	/* POST /v1/stop */
	void (*stop)(void *context, bool now);
	/*
	 * POST /v1/reload: as controller_reload().
	 */
	int (*reload)(void *context, char text[API_ERROR_SIZE]);
	/* POST /v1/upgrade: may it be? Returns 0, or -errno with the reason. */
	int (*may_upgrade)(void *context, char error[API_ERROR_SIZE]);
	/* The answer to it is out. */
	void (*upgrade)(void *context);
	/* The last answer of api_answer_stop() is out. */
	void (*answered)(void *context);
	void *context;
};

/*
 * Serve.
 *
 * path      of the socket; one that is there is removed: the name is ours
 * instance  stays the caller's
 *
 * Returns 0 or -errno.
 */
int api_open(struct event_base *base, const char *path, const struct instance *instance,
	     const struct api_orders *orders, struct api **ret_api);

void api_close(struct api *api);

/*
 * Answer those who wait for the stop.
 *
 * killed  workers had to be killed
 *
 * Returns how many answers are on their way: the loop must go on until `answered` is called.
 */
unsigned int api_answer_stop(struct api *api, bool killed);

#endif
