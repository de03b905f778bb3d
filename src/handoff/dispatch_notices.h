/* SPDX-License-Identifier: MIT */
/*
 * Logs warnings about what dispatchers notice of proxies. What would apply to every connection of
 * the proxy is logged once. Wrong heads are logged as often as log_limit.h allows.
 */
#ifndef STICKY_HANDOFF_DISPATCH_NOTICES_H
#define STICKY_HANDOFF_DISPATCH_NOTICES_H

#include <stdint.h>

#include "common/log_limit.h"
#include "handoff/dispatcher.h"
#include "handoff/traffic.h"

/*
 * The dispatchers' threads change all members atomically. All zero at the beginning, but for the
 * pointers.
 */
struct dispatch_notices {
	struct traffic *traffic;
	struct head_counters *heads;
	uint32_t keepalive_noticed;
	uint32_t untrusted_noticed;
	struct log_limit bad_header;
	struct log_limit head_too_long;
};

/* Count a notice, and log it if it is due. A dispatch_notice_fn; context: the dispatch_notices. */
void dispatch_notices_take(void *context, enum dispatch_notice notice, const struct sockaddr *peer,
			   const char *why);

#endif
