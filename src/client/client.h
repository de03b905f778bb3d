/* SPDX-License-Identifier: MIT */
/* The client of the control socket: a command sends one request and reads the answer. */
#ifndef STICKY_CLIENT_CLIENT_H
#define STICKY_CLIENT_CLIENT_H

#include <jansson.h>
#include <stdio.h>
#include <sys/types.h>

#include "config/config.h"

/*
 * Send a request to the running instance, and read its answer.
 *
 * method      "GET" or "POST"
 * target      path and query, such as "/v1/status"
 * timeout_s   how long to wait for the answer, in seconds; 0: without a limit
 * ret_json    the answer, to be freed by the caller; set only if EXIT_DONE is returned
 * ret_pid     the controller's pid; may be NULL; set as soon as the command is connected
 *
 * On failure an error message is written to stderr. Returns an exit code.
 */
int client_ask(const struct config *config, const char *method, const char *target,
	       unsigned int timeout_s, json_t **ret_json, pid_t *ret_pid);

/* The same for GET, but without error messages: for an instance that may not have started yet. */
int client_ask_quietly(const struct config *config, const char *target, unsigned int timeout_s,
		       json_t **ret_json);

/*
 * The same for any method. An answer that reports an error, {"error": "what is wrong"}, is returned
 * like any other.
 */
int client_request_quietly(const struct config *config, const char *method, const char *target,
			   unsigned int timeout_s, json_t **ret_json);

/* Called with each event of a stream. Returns an exit code to end with, or -1 to go on. */
typedef int client_event_fn(void *context, const json_t *event);

/*
 * Send a request that is answered by a stream of events, and call `fn` with each event as it comes.
 *
 * ended  the exit code if the controller ends the stream before `fn` does
 *
 * On failure an error message is written to stderr. Returns an exit code.
 */
int client_follow(const struct config *config, const char *method, const char *target,
		  client_event_fn *fn, void *context, int ended);

/*
 * Copy the body of an answer, which is text, to a stream.
 *
 * timeout_s  how long each part of the answer may take, in seconds
 *
 * On failure an error message is written to stderr. Returns an exit code.
 */
int client_copy(const struct config *config, const char *target, unsigned int timeout_s, FILE *to);

#endif
