/* SPDX-License-Identifier: MIT */
/* One-shot timers of a libevent loop. */
#ifndef STICKY_COMMON_TIMER_H
#define STICKY_COMMON_TIMER_H

#include <event2/event.h>
#include <stdint.h>

/*
 * Start a timer, or restart it. It fires once, delay_ms milliseconds from now.
 *
 * If there is no memory for it, it fires in the loop's next turn. A timer that fires early makes
 * its owner check too soon. A timer that never fires would leave a client or a stop waiting for
 * ever.
 */
void timer_start(struct event *timer, uint64_t delay_ms);

#endif
