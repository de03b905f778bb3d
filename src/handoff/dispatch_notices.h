/* SPDX-License-Identifier: MIT */
/*
 * Logs warnings about what dispatchers notice of proxies. Each kind is logged once, as it would
 * apply to every connection of the proxy.
 */
#ifndef STICKY_HANDOFF_DISPATCH_NOTICES_H
#define STICKY_HANDOFF_DISPATCH_NOTICES_H

#include <stdint.h>

#include "handoff/dispatcher.h"
#include "handoff/traffic.h"

/*
 * The dispatchers' threads count both numbers, atomically. All zero at the beginning, but for
 * `traffic`.
 */
struct dispatch_notices {
	struct traffic *traffic;
	uint32_t keepalive_noticed;
	uint32_t untrusted_noticed;
};

/* Count a notice, and log each kind once. A dispatch_notice_fn; context: the dispatch_notices. */
void dispatch_notices_take(void *context, enum dispatch_notice notice, const struct sockaddr *peer);

#endif
