/* SPDX-License-Identifier: MIT */
/* The answer to a client whose worker is away: 502 or 503, or the closing of what is not HTTP. */
#ifndef STICKY_HANDOFF_ERROR_RESPONSE_H
#define STICKY_HANDOFF_ERROR_RESPONSE_H

#include <event2/event.h>

#include "config/config.h"

/*
 * Answer a connection, and close it.
 *
 * fd           accepted, non-blocking; taken over, whatever happens
 * kind         DOWN_ANSWER_CLOSE: no answer
 * retry_after  seconds, for Retry-After
 * patience_ms  how long one that has said nothing yet is waited for, to know whether it speaks
 *              TLS; 0: not at all
 *
 * What the client has sent is read first, and for a moment after the answer: a close() with
 * unread bytes would be an RST, and the client would not see the answer. A TLS hello gets no
 * plain text: it is closed.
 */
void error_response_send(struct event_base *base, int fd, enum down_answer kind,
			 unsigned int retry_after, unsigned int patience_ms);

/* The loop ends: whoever still waits for an answer gets it now, and all are closed. */
void error_response_end_all(struct event_base *base);

#endif
