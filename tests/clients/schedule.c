// SPDX-License-Identifier: MIT
#include "schedule.h"

#include "clock.h"

struct schedule schedule_from(const struct options *options, int64_t start_ns)
{
	struct schedule schedule = {
		.rate = options->rate,
		.wanted =
			options->connections ? options->connections * options->sources : UINT64_MAX,
		.has_duration = options->duration_s > 0,
		.start_ns = start_ns,
		.stop_ns = INT64_MAX,
		.deadline_ns = start_ns + clock_seconds_ns(options->deadline_s),
		.patience_ns = clock_seconds_ns(options->patience_s),
	};

	if (schedule.has_duration)
		schedule.stop_ns = start_ns + clock_seconds_ns(options->duration_s);
	return schedule;
}

/* Returns the time at which a connection is due in an open loop. */
static int64_t due_ns(const struct schedule *schedule, uint64_t index)
{
	return schedule->start_ns + clock_seconds_ns((double)index / schedule->rate);
}

int64_t schedule_next_ns(const struct schedule *schedule, uint64_t begun, int64_t now)
{
	return schedule->rate > 0 ? due_ns(schedule, begun) : now;
}

bool schedule_is_over(const struct schedule *schedule, uint64_t begun, int64_t now)
{
	if (begun >= schedule->wanted)
		return true;
	if (now < schedule->stop_ns)
		return false;
	return schedule->is_closed || schedule_next_ns(schedule, begun, now) >= schedule->stop_ns;
}

void schedule_stop(struct schedule *schedule, int64_t now)
{
	if (schedule->stop_ns <= now)
		return;
	schedule->stop_ns = now;
	if (schedule->patience_ns && now + schedule->patience_ns < schedule->deadline_ns)
		schedule->deadline_ns = now + schedule->patience_ns;
}

void schedule_refuse(struct schedule *schedule, int64_t now)
{
	if (now >= schedule->stop_ns)
		schedule->is_closed = true;
}

/*
 * Returns how many connections, from index `from` on, are due before `end`. It computes the times
 * as when they were begun, so that rounding does not add or remove a connection.
 */
static uint64_t count_due(const struct schedule *schedule, uint64_t from, int64_t end)
{
	uint64_t index = from;

	while (index < schedule->wanted && due_ns(schedule, index) < end)
		index++;
	return index - from;
}

uint64_t schedule_count_missed(const struct schedule *schedule, uint64_t begun)
{
	bool stopped = schedule->stop_ns < schedule->deadline_ns;

	if (!schedule->has_duration)
		return schedule->wanted - begun;
	/* In a closed loop no number of connections is expected. */
	if (schedule->rate <= 0)
		return 0;
	return count_due(schedule, begun, stopped ? schedule->stop_ns : schedule->deadline_ns);
}
