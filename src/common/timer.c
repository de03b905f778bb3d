// SPDX-License-Identifier: MIT
#include "common/timer.h"

void timer_start(struct event *timer, uint64_t delay_ms)
{
	struct timeval delay = {.tv_sec = (time_t)(delay_ms / 1000),
				.tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};

	if (event_add(timer, &delay))
		event_active(timer, EV_TIMEOUT, 0);
}
