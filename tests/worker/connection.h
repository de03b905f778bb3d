/* SPDX-License-Identifier: MIT */
/*
 * Accepted connections. Each request is answered with the line that main.c describes, at once or
 * after "wait=MS".
 */
#ifndef TESTS_WORKER_CONNECTION_H
#define TESTS_WORKER_CONNECTION_H

#include <sys/socket.h>

#include "loop.h"

/*
 * Serve a connection until it is over.
 *
 * fd        non-blocking; this module closes it
 * listener  the listening descriptor from which the connection was accepted
 */
void connection_open(struct loop *loop, int fd, int listener, const struct sockaddr_storage *peer);

#endif
