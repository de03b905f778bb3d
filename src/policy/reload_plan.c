// SPDX-License-Identifier: MIT
#include "policy/reload_plan.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/error_text.h"

static const char *const state_names[] = {
	[RELOAD_IDLE] = "idle",
	[RELOAD_RUNNING] = "running",
	[RELOAD_FAILED] = "failed",
};

static_assert(sizeof(state_names) / sizeof(state_names[0]) == RELOAD_STATE_COUNT,
	      "a name for each state");

const char *reload_state_name(enum reload_state state)
{
	return state_names[state];
}

static bool has_more(const struct reload *reload)
{
	uint32_t slot;

	for (slot = 0; slot < STICKY_SLOTS_LIMIT; slot++)
		if (reload->is_chosen[slot])
			return true;
	return false;
}

static bool end_if_over(struct reload *reload)
{
	if (reload->state != RELOAD_RUNNING || reload->running ||
	    (!reload->failed && has_more(reload)))
		return false;
	reload->state = reload->failed ? RELOAD_FAILED : RELOAD_IDLE;
	memset(reload->is_chosen, 0, sizeof(reload->is_chosen));
	return true;
}

void reload_begin(struct reload *reload, const bool *chosen, uint32_t slots, uint32_t parallel)
{
	uint32_t slot;

	assert(reload->state != RELOAD_RUNNING);
	*reload = (struct reload){.state = RELOAD_RUNNING, .parallel = parallel};
	for (slot = 0; slot < slots; slot++) {
		reload->is_chosen[slot] = chosen[slot];
		reload->of += chosen[slot];
	}
	end_if_over(reload);
}

static bool may_begin(const struct reload *reload)
{
	return reload->state == RELOAD_RUNNING && !reload->failed &&
	       reload->running < reload->parallel;
}

int reload_next(struct reload *reload, const bool *is_full)
{
	uint32_t slot;

	for (slot = 0; may_begin(reload) && slot < STICKY_SLOTS_LIMIT; slot++) {
		if (!reload->is_chosen[slot] || is_full[slot])
			continue;
		reload->is_chosen[slot] = false;
		reload->is_running[slot] = true;
		reload->running++;
		return (int)slot;
	}
	return -1;
}

int reload_waits_for(const struct reload *reload, const bool *is_full)
{
	uint32_t slot;

	for (slot = 0; may_begin(reload) && slot < STICKY_SLOTS_LIMIT; slot++)
		if (reload->is_chosen[slot] && is_full[slot])
			return (int)slot;
	return -1;
}

static bool end_one(struct reload *reload, uint32_t slot)
{
	if (!reload->is_running[slot])
		return false;
	reload->is_running[slot] = false;
	reload->running--;
	return true;
}

bool reload_note_ready(struct reload *reload, uint32_t slot)
{
	if (!end_one(reload, slot))
		return false;
	reload->done++;
	return end_if_over(reload);
}

bool reload_note_failed(struct reload *reload, uint32_t slot, const char *why)
{
	if (!end_one(reload, slot))
		return false;
	reload->failed = true;
	error_text_set(&reload->error, "slot %u: %s", slot, why);
	return end_if_over(reload);
}

bool reload_drop(struct reload *reload, uint32_t slot)
{
	if (reload->is_chosen[slot]) {
		reload->is_chosen[slot] = false;
		reload->of--;
	} else if (end_one(reload, slot)) {
		reload->of--;
	}
	return end_if_over(reload);
}

bool reload_abandon(struct reload *reload, const char *why)
{
	if (reload->state != RELOAD_RUNNING)
		return false;
	memset(reload->is_running, 0, sizeof(reload->is_running));
	reload->running = 0;
	reload->failed = true;
	error_text_set(&reload->error, "%s", why);
	return end_if_over(reload);
}
