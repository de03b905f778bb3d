/* SPDX-License-Identifier: MIT */
/* The counters of connections that were accepted in user space. */
#ifndef STICKY_HANDOFF_TRAFFIC_H
#define STICKY_HANDOFF_TRAFFIC_H

#include <stdint.h>

#include "handoff/delivery.h"
#include "handoff/dispatcher.h"

/*
 * They lie in the state file, and outlive the controller. The main thread alone writes `delivery`;
 * the dispatchers' threads write the others, atomically.
 */
struct traffic {
	struct delivery_counters delivery; /* `answered`: those of hold_timeout.h, too */
	struct dispatch_counters dispatch;
	uint64_t proxy_keepalive; /* connections that may carry several clients' requests */
};

#endif
