// SPDX-License-Identifier: MIT
#include "policy/restart_policy.h"

#include <assert.h>

#define RESTART_DELAY_MIN_MS 100
#define RESTART_DELAY_MAX_MS 30000

uint32_t restart_delay_ms(uint32_t previous_ms, uint64_t lifetime_ms, uint64_t min_uptime_ms)
{
	if (!previous_ms || lifetime_ms >= min_uptime_ms)
		return RESTART_DELAY_MIN_MS;
	if (previous_ms >= RESTART_DELAY_MAX_MS / 2)
		return RESTART_DELAY_MAX_MS;
	return previous_ms * 2;
}

bool restart_note_death(struct restart_deaths *deaths, uint64_t now_ms, uint32_t limit,
			uint64_t period_ms)
{
	uint64_t earliest;

	assert(limit < RESTART_DEATHS_MAX);
	deaths->at_ms[deaths->count++ % RESTART_DEATHS_MAX] = now_ms;
	if (!limit || deaths->count <= limit)
		return false;
	/*
	 * There are more than `limit` deaths in the period if the death that came `limit` deaths
	 * before this one is still in it.
	 */
	earliest = deaths->at_ms[(deaths->count - 1 - limit) % RESTART_DEATHS_MAX];
	return now_ms - earliest <= period_ms;
}

uint64_t restart_age_ms(uint64_t limit_ms, uint32_t random)
{
	return limit_ms - limit_ms / 10 * (random % 1024) / 1024;
}
