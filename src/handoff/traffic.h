/* SPDX-License-Identifier: MIT */
/* The counters of connections that were accepted in user space. */
#ifndef STICKY_HANDOFF_TRAFFIC_H
#define STICKY_HANDOFF_TRAFFIC_H

#include <stdint.h>

#include "handoff/delivery.h"
#include "handoff/dispatcher.h"

/* They outlive the controller: the state file has them. One writer: the main thread, and the
 * dispatchers for what is theirs. */
struct traffic {
	struct delivery_counters delivery; /* `answered`: the stand-in's too */
	struct dispatch_counters dispatch;
	uint64_t proxy_keepalive; /* connections that may carry several clients' requests */
};

#endif
