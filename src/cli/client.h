/* SPDX-License-Identifier: MIT */
/* The other end of the control socket: one request, one answer. */
#ifndef STICKY_CLI_CLIENT_H
#define STICKY_CLI_CLIENT_H

#include <jansson.h>
#include <sys/types.h>

#include "config/config.h"

/*
 * Ask the instance.
 *
 * method      "GET", "POST"
 * target      "/v1/status"
 * timeout_s   how long to wait for the answer; 0: as long as it takes
 * ret_json    the answer, the caller's
 * ret_pid     the controller's pid, may be NULL; set as soon as it is connected to
 *
 * Complains on stderr. Returns an exit code.
 */
int client_ask(const struct config *config, const char *method, const char *target,
	       unsigned int timeout_s, json_t **ret_json, pid_t *ret_pid);

/* The same for GET, without a word: for one that may not be there yet. */
int client_ask_quietly(const struct config *config, const char *target, unsigned int timeout_s,
		       json_t **ret_json);

/* Called with each event of a stream. Returns an exit code to end with, or -1 to go on. */
typedef int client_event_fn(void *context, const json_t *event);

/*
 * Ask for events, a line each, and call a function with each as it comes.
 *
 * ended  the exit code where the stream ends before the function ended it
 *
 * Complains on stderr. Returns an exit code.
 */
int client_follow(const struct config *config, const char *method, const char *target,
		  client_event_fn *fn, void *context, int ended);

#endif
