/* SPDX-License-Identifier: MIT */
/*
 * A queue of messages that the supervisor must get, in order. While the supervisor does not read,
 * messages that could not be sent wait here. Pure.
 */
#ifndef STICKY_SERVICE_SERVICE_OUTBOX_H
#define STICKY_SERVICE_SERVICE_OUTBOX_H

#include <stdint.h>

#include "service/service_text.h"

#define SERVICE_OUTBOX_MAX 8

/* An outbox whose bytes are all zero is empty. */
struct service_outbox {
	char texts[SERVICE_OUTBOX_MAX][SERVICE_TEXT_SIZE];
	uint32_t first, count;
};

/*
 * Add a copy of a message of less than SERVICE_TEXT_SIZE bytes. If the outbox is full, the oldest
 * message is dropped, as later ones replace what it says.
 */
void service_outbox_add(struct service_outbox *outbox, const char *text);

/* Returns the oldest message, or NULL. It is valid until the outbox changes. */
const char *service_outbox_first(const struct service_outbox *outbox);

/* Remove the oldest message. The outbox must not be empty. */
void service_outbox_remove(struct service_outbox *outbox);

#endif
