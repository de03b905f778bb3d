// SPDX-License-Identifier: MIT
#include "common/clock.h"

#include <errno.h>
#include <stdio.h>

static uint64_t to_ms(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000 + (uint64_t)time->tv_nsec / 1000000;
}

uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return to_ms(&now);
}

uint64_t clock_monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_boot_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return to_ms(&now);
}

int clock_cpu_ms(clockid_t clock, uint64_t *ret_ms)
{
	struct timespec used;

	if (clock_gettime(clock, &used))
		return -errno;
	*ret_ms = to_ms(&used);
	return 0;
}

void clock_utc(int digits, char ret_text[CLOCK_UTC_SIZE])
{
	struct timespec now;
	struct tm utc;
	char seconds[CLOCK_UTC_SIZE], fraction[16];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(fraction, sizeof(fraction), "%09ld", now.tv_nsec);
	snprintf(ret_text, CLOCK_UTC_SIZE, "%.20s.%.*sZ", seconds, digits, fraction);
}
