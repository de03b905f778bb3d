/* SPDX-License-Identifier: MIT */
/*
 * Messages that the supervisor must get, in order. It may not read for a while: a message that
 * could not be sent stays here until it can be. Pure.
 */
#ifndef STICKY_SERVICE_SERVICE_OUTBOX_H
#define STICKY_SERVICE_SERVICE_OUTBOX_H

#include <stdint.h>

#include "service/service_text.h"

#define SERVICE_OUTBOX_MAX 8

/* All zero: it is empty. */
struct service_outbox {
	char texts[SERVICE_OUTBOX_MAX][SERVICE_TEXT_SIZE];
	uint32_t first, count;
};

/*
 * Add a copy of a message, less than SERVICE_TEXT_SIZE bytes. Without room the oldest one is given
 * up: a later message says what is true now.
 */
void service_outbox_add(struct service_outbox *outbox, const char *text);

/* Returns the oldest message, or NULL. It is valid until the outbox changes. */
const char *service_outbox_first(const struct service_outbox *outbox);

/* Remove the oldest message. The outbox must not be empty. */
void service_outbox_remove(struct service_outbox *outbox);

#endif
