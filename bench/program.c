// SPDX-License-Identifier: MIT
/*
 * make bench-program: what the BPF program costs, and what is left of plain
 * SO_REUSEPORT's connections per second.
 *
 * Nothing is compared with an earlier run: what is subtracted or divided was measured in
 * this one, turn by turn. From the environment: BUILD (where the peers are, and where
 * program.json goes), ROUNDS and COST_RUNS of the first part, PAIRS, CONNECTIONS,
 * WORKERS and CONCURRENCY of the second; ROUNDS or PAIRS 0 leaves a part out.
 *
 * Exit codes: 0 measured; 1 failed; 77 not permitted.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/cost.h"
#include "lib/loopback.h"
#include "lib/program_stats.h"
#include "lib/report.h"
#include "lib/throughput.h"

#define SLOT_COUNTS   3
#define CASES	      (CLIENT_FAMILY_COUNT * SLOT_COUNTS)
#define WARM_UP	      256 /* connections before the first round */
#define NOT_PERMITTED 77

static const uint32_t slot_counts[SLOT_COUNTS] = {8, 1, 1024};

struct settings {
	const char *build;
	uint32_t rounds, cost_runs, pairs;
	struct throughput_options throughput;
	char clients[PATH_MAX];
};

static int failed(const char *what, int error)
{
	fprintf(stderr, "program: %s: %s\n", what, strerror(-error));
	return error;
}

static uint32_t number_from_environment(const char *name, uint32_t otherwise, uint32_t limit)
{
	const char *text = getenv(name);
	unsigned long value;
	char *end;

	if (!text || !*text)
		return otherwise;
	value = strtoul(text, &end, 10);
	if (*end || text[0] == '-' || value > limit) {
		fprintf(stderr, "program: %s=%s: not a number up to %u\n", name, text, limit);
		exit(1);
	}
	return (uint32_t)value;
}

static void read_settings(struct settings *settings)
{
	settings->build = getenv("BUILD") ? getenv("BUILD") : "build";
	settings->rounds = number_from_environment("ROUNDS", 21, SAMPLES_MAX);
	settings->cost_runs = number_from_environment("COST_RUNS", 2048, 1000000);
	settings->pairs = number_from_environment("PAIRS", 31, SAMPLES_MAX);
	settings->throughput = (struct throughput_options){
		.clients = settings->clients,
		.workers = number_from_environment("WORKERS", 2, 64),
		.connections = number_from_environment("CONNECTIONS", 16384, 10000000),
		.concurrency = number_from_environment("CONCURRENCY", 64, 4096),
	};
	snprintf(settings->clients, sizeof(settings->clients), "%s/tests/peers/clients",
		 settings->build);
}

/* 1,024 slots are as many sockets, for each family. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- The program's cost ------------------------------------------------------------ */

static int open_costs(struct cost costs[CASES], struct cost_bench *benches[CASES])
{
	uint32_t i;
	int error = 0;

	for (i = 0; !error && i < CASES; i++) {
		costs[i].family = (enum client_family)(i % CLIENT_FAMILY_COUNT);
		costs[i].slots = slot_counts[i / CLIENT_FAMILY_COUNT];
		error = cost_open(&costs[i], &benches[i]);
	}
	return error;
}

/* Turn by turn, so that whatever disturbs the machine disturbs all cases. */
static int run_rounds(const struct settings *settings, struct cost costs[CASES],
		      struct cost_bench *benches[CASES])
{
	uint32_t round, i;
	int error = 0;

	for (i = 0; !error && i < CASES; i++) {
		error = cost_round(benches[i], WARM_UP);
		memset(costs[i].series, 0, sizeof(costs[i].series));
	}
	for (round = 0; !error && round < settings->rounds; round++)
		for (i = 0; !error && i < CASES; i++)
			error = cost_round(benches[i], settings->cost_runs);
	return error;
}

static int measure_costs(const struct settings *settings, struct cost costs[CASES])
{
	struct cost_bench *benches[CASES] = {NULL};
	int stats = program_stats_enable(), error;
	uint32_t i;

	if (stats < 0)
		return failed("measuring BPF programs (BPF_ENABLE_STATS, CAP_SYS_ADMIN)", stats);
	error = open_costs(costs, benches);
	if (!error)
		error = run_rounds(settings, costs, benches);
	for (i = 0; i < CASES; i++)
		cost_close(benches[i]);
	close(stats);
	return error ? failed("the program's cost", error) : 0;
}

/* ---- Connections per second -------------------------------------------------------- */

static int measure_throughput(const struct settings *settings, struct throughput *result)
{
	uint32_t pair;
	int error = 0;

	for (pair = 0; !error && pair < settings->pairs; pair++)
		error = throughput_pair(&settings->throughput, pair % 2 ? SIDE_STICKY : SIDE_PLAIN,
					result);
	return error ? failed("connections per second", error) : 0;
}

static int write_report(const struct settings *settings, const struct report *report)
{
	char path[PATH_MAX];
	int error;

	snprintf(path, sizeof(path), "%s/bench/program.json", settings->build);
	error = report_write_json(report, path);
	if (error)
		return failed(path, error);
	printf("\nEvery value: %s\n", path);
	return 0;
}

int main(void)
{
	static struct settings settings;
	static struct cost costs[CASES];
	static struct throughput throughput;
	struct report report = {
		.costs = costs, .throughput = &throughput, .options = &settings.throughput};
	int error;

	read_settings(&settings);
	raise_descriptor_limit();
	error = loopback_enter();
	if (error)
		failed("a network namespace (CAP_SYS_ADMIN)", error);
	if (!error && settings.rounds)
		error = measure_costs(&settings, costs);
	if (!error)
		error = measure_throughput(&settings, &throughput);
	if (error)
		return error == -EPERM ? NOT_PERMITTED : 1;
	report.cost_count = settings.rounds ? CASES : 0;
	report.cost_runs = settings.cost_runs;
	report_print(&report);
	return write_report(&settings, &report) ? 1 : 0;
}
