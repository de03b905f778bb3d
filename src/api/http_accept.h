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

/*
 * For evhttp_set_bevcb(): makes the stream of a connection. When the stream is freed, its events
 * are deleted before its descriptor is closed. evhttp itself (libevent 2.1) does this in the other
 * order. In between the program may get a descriptor of the same number, and libevent would mistake
 * it for the closed one.
 *
 * context  not used
 *
 * Returns NULL if there is no memory: evhttp then makes a stream of its own.
 */
struct bufferevent *accepting_make_stream(struct event_base *base, void *context);

#endif
