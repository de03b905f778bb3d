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

static void format_utc(const struct timespec *time, int digits, char ret_text[CLOCK_UTC_SIZE])
{
	struct tm utc;
	char seconds[CLOCK_UTC_SIZE], fraction[16];

	gmtime_r(&time->tv_sec, &utc);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(fraction, sizeof(fraction), "%09ld", time->tv_nsec);
	snprintf(ret_text, CLOCK_UTC_SIZE, "%.20s.%.*sZ", seconds, digits, fraction);
}

void clock_utc(int digits, char ret_text[CLOCK_UTC_SIZE])
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	format_utc(&now, digits, ret_text);
}

uint64_t clock_utc_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return to_ms(&now);
}

void clock_format_utc(uint64_t time_ms, char ret_text[CLOCK_UTC_SIZE])
{
	const struct timespec time = {.tv_sec = (time_t)(time_ms / 1000),
				      .tv_nsec = (long)(time_ms % 1000) * 1000000};

	format_utc(&time, 3, ret_text);
}
