/* SPDX-License-Identifier: MIT */
/*
 * What the preload (preload.js) is told beside the messages of Node.js's cluster module, which
 * ignores it. Pure.
 */
#ifndef STICKY_NODE_PRELOAD_MESSAGES_H
#define STICKY_NODE_PRELOAD_MESSAGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * Add to the message of a passed connection (cluster_connection()) what the worker can't see.
 *
 * message  taken over; NULL is allowed
 * closes   each request is answered with `Connection: close`
 * client   the socket's remote address is to be this one; NULL, or another family than AF_INET and
 *          AF_INET6: it is the peer's
 *
 * Returns the message, or NULL if out of memory.
 */
json_t *preload_describe(json_t *message, bool closes, const struct sockaddr *client);

/*
 * The worker is about to be asked to finish.
 *
 * idle_ms  for so long its idle connections stay open
 *
 * Returns NULL if out of memory.
 */
json_t *preload_leave(uint32_t idle_ms);

#endif
