// SPDX-License-Identifier: MIT
#include "api/reload_times.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

struct reload_times {
	struct journal *journal;
	struct journal_follower *follower;
	struct reload_totals totals;
	bool is_running;
	uint64_t begun_ms;
};

static void note_end(struct reload_times *times, const json_t *event)
{
	if (!times->is_running)
		return;
	times->is_running = false;
	histogram_add(&times->totals.durations, clock_ms() - times->begun_ms);
	if (json_is_true(json_object_get(event, "ok")))
		times->totals.succeeded++;
	else
		times->totals.failed++;
}

/* Note the times of reloads, of which only one runs at a time. */
static void on_event(void *context, const json_t *event)
{
	struct reload_times *times = context;
	const char *name = json_string_value(json_object_get(event, "event"));

	if (!name)
		return;
	if (!strcmp(name, "reload_begun")) {
		times->is_running = true;
		times->begun_ms = clock_ms();
	} else if (!strcmp(name, "reload_ended")) {
		note_end(times, event);
	}
}

int reload_times_open(struct journal *journal, struct reload_times **ret_times)
{
	struct reload_times *times = calloc(1, sizeof(*times));

	if (!times)
		return -ENOMEM;
	times->journal = journal;
	times->follower = journal_follow(journal, on_event, times);
	if (!times->follower) {
		free(times);
		return -ENOMEM;
	}
	*ret_times = times;
	return 0;
}

const struct reload_totals *reload_times_totals(const struct reload_times *times)
{
	return &times->totals;
}

void reload_times_close(struct reload_times *times)
{
	if (!times)
		return;
	journal_unfollow(times->journal, times->follower);
	free(times);
}
