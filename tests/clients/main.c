// SPDX-License-Identifier: MIT
/*
 * Many clients in one thread: a bounded load generator that checks each answer.
 *
 * Every client has a source address of its own, from which it makes some connections. The answer
 * (tests/worker/main.c) names the slot that served the client. A client that is served by two slots
 * is counted as unsticky. The last line of stdout is one JSON object in which every outcome is
 * counted. The program ends by itself at the deadline. After SIGTERM no more connections are begun,
 * and the program ends when the open ones are over.
 *
 * Exit codes: 0 all were answered, and sticky; 1 some were not; 2 usage.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "clock.h"
#include "crowd.h"
#include "failure.h"
#include "maps.h"
#include "options.h"
#include "result.h"
#include "schedule.h"
#include "trace.h"

/* limit of connections begun in one turn, so that answers are read in between */
#define BURST_MAX 1024

struct run {
	struct options options;
	struct schedule schedule;
	struct crowd crowd;
	struct result result;
	struct trace trace;
	bool told_connected;
	bool is_past_stop; /* answers from now on do not count for the rate */
};

static volatile sig_atomic_t is_told_to_stop;

static void on_sigterm(int number)
{
	(void)number;
	is_told_to_stop = 1;
}

static void begin_due(struct run *run)
{
	const struct schedule *schedule = &run->schedule;
	struct crowd *crowd = &run->crowd;
	unsigned int burst;

	for (burst = 0; burst < BURST_MAX && crowd->free_count; burst++) {
		int64_t now = clock_now_ns(), due = schedule_next_ns(schedule, crowd->begun, now);

		if (due > now || schedule_is_over(schedule, crowd->begun, now))
			return;
		crowd_begin(crowd, due);
	}
}

/*
 * With --hold, print a line on stdout when all connections are queued, so that the caller knows it.
 */
static void tell_connected(struct run *run, int64_t now)
{
	if (!run->options.hold || run->told_connected || run->crowd.connecting ||
	    !schedule_is_over(&run->schedule, run->crowd.begun, now))
		return;
	run->told_connected = true;
	printf("{\"event\":\"connected\",\"connections\":%llu}\n",
	       (unsigned long long)run->crowd.begun);
	fflush(stdout);
}

/*
 * Note the answers and the time from which the rate is computed. If the run has a duration, the
 * time is that duration. If the run has a number of connections, the time ends with the last
 * answer.
 */
static void note_rate(struct run *run, int64_t until)
{
	run->result.answered_in_time = run->result.outcomes[OUTCOME_ANSWERED];
	run->result.begin_seconds = (double)(until - run->schedule.start_ns) / SECOND_NS;
}

static bool is_over(const struct run *run, int64_t now)
{
	return now >= run->schedule.deadline_ns ||
	       (crowd_is_idle(&run->crowd) &&
		schedule_is_over(&run->schedule, run->crowd.begun, now));
}

/* Returns the time in ns until the next connection is due, or until everything ends. */
static int64_t timeout_ns(const struct run *run, int64_t now)
{
	int64_t until = run->schedule.deadline_ns;

	if (run->crowd.free_count && !schedule_is_over(&run->schedule, run->crowd.begun, now)) {
		int64_t due = schedule_next_ns(&run->schedule, run->crowd.begun, now);

		until = due < until ? due : until;
	}
	return until <= now ? 0 : until - now;
}

static void run_loop(struct run *run)
{
	for (;;) {
		int64_t now;

		begin_due(run);
		now = clock_now_ns();
		if (is_told_to_stop)
			schedule_stop(&run->schedule, now);
		if (!run->crowd.free_count)
			schedule_refuse(&run->schedule, now);
		tell_connected(run, now);
		if (!run->is_past_stop)
			note_rate(run, now);
		run->is_past_stop = now >= run->schedule.stop_ns;
		if (is_over(run, now))
			break;
		crowd_wait(&run->crowd, timeout_ns(run, now));
	}
}

static void run_init(struct run *run)
{
	run->result = result_empty();
	run->trace = trace_open(run->options.trace_path);
	crowd_init(&run->crowd, &run->options, &run->result, &run->trace);
	run->schedule = schedule_from(&run->options, clock_now_ns());
}

static double cpu_seconds(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage))
		return 0;
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* End the remaining connections, and fill in the numbers that are known only at the end. */
static void conclude(struct run *run)
{
	const struct options *options = &run->options;
	const struct crowd *crowd = &run->crowd;
	struct result *result = &run->result;

	result->seconds = (double)(clock_now_ns() - run->schedule.start_ns) / SECOND_NS;
	result->cpu_seconds = cpu_seconds();
	crowd_time_out(&run->crowd);
	trace_close(&run->trace);
	result->begun = crowd->begun;
	result->not_begun = schedule_count_missed(&run->schedule, crowd->begun);
	if (options->map_path)
		maps_write(options->map_path, options->family, options->first, crowd->clients,
			   options->sources);
	if (options->expect_path)
		result->mismatched = maps_compare(options->expect_path, options->family,
						  options->first, crowd->clients, options->sources);
}

static void run_fini(struct run *run)
{
	crowd_fini(&run->crowd);
	result_free(&run->result);
}

int main(int argc, char **argv)
{
	struct run run = {0};
	bool well;

	options_parse(argc, argv, &run.options);
	signal(SIGTERM, on_sigterm);
	prctl(PR_SET_TIMERSLACK, 1); /* in ns: connections are begun when they are due */
	run_init(&run);
	run_loop(&run);
	conclude(&run);
	result_print(&run.result);
	well = result_is_well(&run.result);
	run_fini(&run);
	return well ? 0 : EXIT_NOT_ALL;
}
