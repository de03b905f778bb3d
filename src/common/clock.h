/* SPDX-License-Identifier: MIT */
#ifndef STICKY_COMMON_CLOCK_H
#define STICKY_COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Returns the time of a clock that never goes back, in milliseconds from some past moment on. */
static inline uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#endif
