/* SPDX-License-Identifier: MIT */
/*
 * Messages for the script preload.js, sent beside those of Node.js's cluster module, which ignores
 * them. Pure.
 */
#ifndef STICKY_NODE_PRELOAD_MESSAGES_H
#define STICKY_NODE_PRELOAD_MESSAGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * Add facts about the client that the worker can't see to the message of a passed connection
 * (cluster_connection()).
 *
 * message  taken over; NULL is allowed
 * closes   each request is answered with `Connection: close`
 * client   the address that the socket reports as its remote address; NULL, or another family than
 *          AF_INET and AF_INET6: the peer's address stays
 *
 * Returns the message, or NULL if memory is short.
 */
json_t *preload_describe(json_t *message, bool closes, const struct sockaddr *client);

/*
 * Make the message that the worker is about to be asked to finish.
 *
 * idle_ms  how long its idle connections stay open
 *
 * Returns NULL if memory is short.
 */
json_t *preload_leave(uint32_t idle_ms);

#endif
