/* SPDX-License-Identifier: MIT */
/*
 * The control interface: HTTP with JSON over a UNIX socket, for our own uid and root.
 *
 *   GET  /v1/status              the instance
 *   GET  /v1/where?address=A     where a client goes
 *   POST /v1/stop[?now=1]        answered when all workers are gone
 *
 * An error is {"error": "what is wrong"} with a status of 400 and up.
 */
#ifndef STICKY_CONTROLLER_API_H
#define STICKY_CONTROLLER_API_H

#include <event2/event.h>
#include <stdbool.h>

#include "instance.h"

struct api;

/* Called for POST /v1/stop. */
typedef void api_stop_fn(void *context, bool now);

/* Called when the last answer of api_answer_stop() is out. */
typedef void api_answered_fn(void *context);

/*
 * Serve.
 *
 * path      of the socket; one that is there is removed: the name is ours
 * instance  stays the caller's
 *
 * Returns 0 or -errno.
 */
int api_open(struct event_base *base, const char *path, const struct instance *instance,
	     api_stop_fn *stop, api_answered_fn *answered, void *context, struct api **ret_api);

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
