/* SPDX-License-Identifier: MIT */
/* The counters of connections that were accepted in user space. */
#ifndef STICKY_HANDOFF_TRAFFIC_H
#define STICKY_HANDOFF_TRAFFIC_H

#include <stdint.h>

#include "handoff/delivery.h"
#include "handoff/dispatcher.h"

/*
 * The counters lie in the state file, and outlive the controller. Only the main thread writes
 * `delivery`. The dispatchers' threads write the other counters, atomically.
 */
struct traffic {
	struct delivery_counters delivery; /* `answered` includes the answers of hold_timeout.h */
	struct dispatch_counters dispatch;
	uint64_t proxy_keepalive; /* connections that may carry several clients' requests */
};

/*
 * Counters of heads that `struct traffic` lacks: it cannot grow, as it lies in the middle of the
 * state file. The dispatchers' threads write them, atomically.
 */
struct head_counters {
	/* passed on by the proxy's address: the client is not in the first bytes of the head */
	uint64_t too_long;
};

#endif
