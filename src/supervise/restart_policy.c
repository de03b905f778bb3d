// SPDX-License-Identifier: MIT
#include "supervise/restart_policy.h"

#include <assert.h>

#define RESTART_DELAY_MIN_MS 100
#define RESTART_DELAY_MAX_MS 30000

uint32_t pool_restart_delay(uint32_t former_ms, uint64_t lifetime_ms, uint64_t min_uptime_ms)
{
	if (!former_ms || lifetime_ms >= min_uptime_ms)
		return RESTART_DELAY_MIN_MS;
	if (former_ms >= RESTART_DELAY_MAX_MS / 2)
		return RESTART_DELAY_MAX_MS;
	return former_ms * 2;
}

bool pool_note_death(struct pool_deaths *deaths, uint64_t now_ms, uint32_t limit,
		     uint64_t period_ms)
{
	uint64_t earliest;

	assert(limit < POOL_DEATHS_MAX);
	deaths->at_ms[deaths->count++ % POOL_DEATHS_MAX] = now_ms;
	if (!limit || deaths->count <= limit)
		return false;
	/* More than `limit` deaths: the one `limit` before this one is still in the period. */
	earliest = deaths->at_ms[(deaths->count - 1 - limit) % POOL_DEATHS_MAX];
	return now_ms - earliest <= period_ms;
}

uint64_t pool_jitter(uint64_t limit_ms, uint32_t random)
{
	return limit_ms - limit_ms / 10 * (random % 1024) / 1024;
}
