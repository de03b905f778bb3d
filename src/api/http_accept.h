/* SPDX-License-Identifier: MIT */
/*
 * Accepting for an HTTP server. Where there is no descriptor for a connection it stays in the
 * kernel's queue, and the socket readable: libevent by itself would try again without a pause,
 * and complain each time.
 */
#ifndef STICKY_API_HTTP_ACCEPT_H
#define STICKY_API_HTTP_ACCEPT_H

#include <event2/http.h>

/*
 * Accept from a listening socket, which the server takes over, until the server is freed; by then
 * the loop must be over. Returns 0, or -ENOMEM: the socket is still the caller's.
 */
int accepting_start(struct evhttp *http, int fd);

#endif
