/* SPDX-License-Identifier: MIT */
/* The response to a client whose worker is away: HTTP's 502 or 503, or a plain close(). */
#ifndef STICKY_HANDOFF_ERROR_RESPONSE_H
#define STICKY_HANDOFF_ERROR_RESPONSE_H

#include <event2/event.h>

#include "config/config.h"

/*
 * Answer a connection, and close it.
 *
 * fd           accepted, non-blocking; taken over in any case
 * kind         DOWN_ANSWER_CLOSE: the connection is only closed
 * retry_after  seconds, for the header Retry-After
 * patience_ms  how long to wait for a client that has sent nothing yet, to see whether it speaks
 *              TLS; 0: do not wait
 *
 * The client's bytes are read before the response, and for a moment after it. A close() with unread
 * bytes would send an RST, and the client could lose the response. The connection of a TLS client
 * is closed without a response, as the client could not read plain text.
 */
void error_response_send(struct event_base *base, int fd, enum down_answer kind,
			 unsigned int retry_after, unsigned int patience_ms);

/*
 * Send the responses that have not been sent yet, and close all connections. Call this when the
 * loop is about to end.
 */
void error_response_end_all(struct event_base *base);

#endif
