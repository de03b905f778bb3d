/* SPDX-License-Identifier: MIT */
/*
 * What dispatchers notice about proxies, as warnings in the log. Each kind is logged once, as it
 * would apply to every connection of the proxy.
 */
#ifndef STICKY_HANDOFF_DISPATCH_NOTICES_H
#define STICKY_HANDOFF_DISPATCH_NOTICES_H

#include <stdint.h>

#include "handoff/dispatcher.h"
#include "handoff/traffic.h"

/* The numbers are counted by the dispatchers' threads, atomically. Zeroed but for `traffic`. */
struct dispatch_notices {
	struct traffic *traffic;
	uint32_t keepalive_noticed;
	uint32_t untrusted_noticed;
};

/* A dispatch_notice_fn. The context is a struct dispatch_notices. */
void dispatch_notices_take(void *context, enum dispatch_notice notice, const struct sockaddr *peer);

#endif
