/* SPDX-License-Identifier: MIT */
/*
 * One connection, from its own address. It sends the request, and reads until the other end closes.
 * Each step returns whether the connection is over. `error` then tells how it ended.
 *
 * No port is used up: the worker closes first, and the client then closes with a reset (SO_LINGER
 * 0), which also ends the worker's TIME_WAIT. Even 65,536 connections leave nothing behind.
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
	uint32_t known_generation; /* client->generation when this connection began */
	int64_t due_ns;		   /* when it was due; it may have begun later */
	bool requested;		   /* it is connected, and the request has been sent */
	int error;		   /* errno of the failure; 0: the other end closed it */
	const char *failed_call;   /* the call that failed */
	char request[REQUEST_MAX];
	size_t length;
	char answer[ANSWER_MAX]; /* ends with a NUL when the connection is over */
};

/*
 * Open the socket, and connect. The caller sets `source`, `known_generation` and `due_ns`. Returns
 * whether the connection is over. The socket is open in either case.
 */
bool connection_begin(struct connection *connection, const struct options *options);

/*
 * Send the request. If it is too early for that, `requested` stays false, and the caller must call
 * again. Over loopback the handshake is complete when connect() returns, and the request can be
 * sent at once. Returns whether the connection is over.
 */
bool connection_send(struct connection *connection);

/* Read all bytes that have arrived. Returns whether the connection is over. */
bool connection_receive(struct connection *connection);

void connection_end(struct connection *connection);

#endif
