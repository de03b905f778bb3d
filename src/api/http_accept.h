/* SPDX-License-Identifier: MIT */
/*
 * Accepts connections for an HTTP server. If there is no descriptor for a connection, it stays in
 * the kernel's queue, and the socket stays readable. libevent alone would try again without a
 * pause, and log each failure. Therefore this module pauses accepting.
 */
#ifndef STICKY_API_HTTP_ACCEPT_H
#define STICKY_API_HTTP_ACCEPT_H

#include <event2/http.h>

/*
 * Accept from a listening socket, which the HTTP server takes over. The server may be freed only
 * after the loop has ended. Returns 0, or -ENOMEM: the socket then still belongs to the caller.
 */
int accepting_start(struct evhttp *http, int fd);

#endif
