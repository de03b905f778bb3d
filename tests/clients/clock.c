// SPDX-License-Identifier: MIT
#include "clock.h"

#include <time.h>

int64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

int64_t clock_seconds_ns(double seconds)
{
	return (int64_t)(seconds * SECOND_NS);
}
