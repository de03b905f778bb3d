// SPDX-License-Identifier: MIT
#include "handoff/queue_age.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int queue_age_init(struct queue_age *ages, uint32_t room)
{
	assert(room > 0);
	*ages = (struct queue_age){
		.arrivals = calloc(room, sizeof(*ages->arrivals)),
		.at_ms = calloc(room, sizeof(*ages->at_ms)),
		.room = room,
	};
	if (ages->arrivals && ages->at_ms)
		return 0;
	queue_age_fini(ages);
	return -ENOMEM;
}

void queue_age_fini(struct queue_age *ages)
{
	free(ages->arrivals);
	free(ages->at_ms);
	*ages = (struct queue_age){0};
}

static uint32_t place(const struct queue_age *ages, uint32_t index)
{
	assert(ages->room > 0);
	return (ages->first + index) % ages->room;
}

void queue_age_sample(struct queue_age *ages, uint64_t now_ms, uint32_t length)
{
	uint64_t arrivals = ages->removed + length;
	uint32_t last;

	/* Nothing has arrived since the last sample, which counts all members already. */
	if (ages->count ? ages->arrivals[place(ages, ages->count - 1)] == arrivals : !length)
		return;
	if (ages->count < ages->room)
		ages->count++;
	last = place(ages, ages->count - 1);
	ages->arrivals[last] = arrivals;
	ages->at_ms[last] = now_ms;
}

uint32_t queue_age_due(struct queue_age *ages, uint64_t now_ms, uint64_t budget_ms)
{
	uint64_t due = ages->removed;
	uint32_t i;

	/* Drop samples whose members have all left. */
	while (ages->count && ages->arrivals[ages->first] <= ages->removed) {
		ages->first = place(ages, 1);
		ages->count--;
	}
	for (i = 0; i < ages->count && ages->at_ms[place(ages, i)] + budget_ms <= now_ms; i++)
		due = ages->arrivals[place(ages, i)];
	return (uint32_t)(due - ages->removed);
}

/* Find the first sample that counted the first member. Returns false if no member is known. */
static bool find_first(const struct queue_age *ages, uint64_t *ret_at_ms)
{
	uint32_t i;

	for (i = 0; i < ages->count; i++)
		if (ages->arrivals[place(ages, i)] > ages->removed) {
			*ret_at_ms = ages->at_ms[place(ages, i)];
			return true;
		}
	return false;
}

uint64_t queue_age_wait(const struct queue_age *ages, uint64_t now_ms, uint64_t budget_ms)
{
	uint64_t at_ms;

	if (!find_first(ages, &at_ms))
		return UINT64_MAX;
	return at_ms + budget_ms > now_ms ? at_ms + budget_ms - now_ms : 0;
}

void queue_age_measure(const struct queue_age *ages, uint64_t now_ms, struct histogram *waits)
{
	uint64_t measured = ages->removed;
	uint32_t i;

	for (i = 0; i < ages->count; i++) {
		uint64_t arrivals = ages->arrivals[place(ages, i)];

		if (arrivals <= measured)
			continue;
		histogram_add_many(waits, now_ms - ages->at_ms[place(ages, i)],
				   arrivals - measured);
		measured = arrivals;
	}
}

void queue_age_measure_first(const struct queue_age *ages, uint64_t now_ms, struct histogram *waits)
{
	uint64_t at_ms;

	if (find_first(ages, &at_ms))
		histogram_add(waits, now_ms - at_ms);
}

void queue_age_remove(struct queue_age *ages)
{
	ages->removed++;
}
