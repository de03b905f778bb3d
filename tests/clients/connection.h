/* SPDX-License-Identifier: MIT */
/*
 * One connection, from its own address: it sends the request, and reads until the other end
 * closes. Each step says whether the connection is over; how is then in `error`.
 *
 * No port is used up: the worker closes first, and our close is a reset (SO_LINGER 0), which
 * also ends the worker's TIME_WAIT. So 65,536 connections leave nothing behind.
 */
#ifndef TESTS_CLIENTS_CONNECTION_H
#define TESTS_CLIENTS_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

#define ANSWER_MAX 512

struct connection {
	int fd; /* -1: not open */
	uint32_t source;
	uint32_t known_generation; /* of the client, when this connection began */
	int64_t due_ns;		   /* when it should have begun: not when it did */
	bool requested;		   /* connected, and the request is sent */
	int error;		   /* errno of what ended it; 0: the other end closed it */
	const char *failed_call;   /* that gave the error */
	char request[REQUEST_MAX];
	size_t length;
	char answer[ANSWER_MAX]; /* ends with a NUL when the connection is over */
};

/*
 * Open its socket and connect. `source`, `known_generation` and `due_ns` are the caller's.
 * Returns whether it is over. Its socket is open in either case.
 */
bool connection_begin(struct connection *connection, const struct options *options);

/*
 * Send the request, unless it is too early: then `requested` is still false, and it is to be
 * tried again. Over loopback the handshake is over when connect() returns, and the request can
 * go at once. Returns whether the connection is over.
 */
bool connection_send(struct connection *connection);

/* Read all that has come. Returns whether the connection is over. */
bool connection_receive(struct connection *connection);

void connection_end(struct connection *connection);

#endif
