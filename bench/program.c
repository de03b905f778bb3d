// SPDX-License-Identifier: MIT
/*
 * Measures what a run of the BPF program costs: for each kind of client, with few and many slots,
 * with other prefixes as the key, and with trusted proxies to be looked up.
 *
 *     program ROUNDS RUNS
 *
 * In each round the cases take turns, with RUNS runs each. The runs of an empty program, measured
 * in the same round, are subtracted. Prints one JSON object.
 *
 * Exit codes: 0 measured; 1 failed; 2 usage; 77 not permitted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/arguments.h"
#include "lib/cost.h"
#include "lib/loopback.h"
#include "lib/program_stats.h"
#include "lib/report.h"

#define CASES_MAX     32
#define WARM_UP	      256 /* runs before the first round */
#define USUAL_SLOTS   8
#define NOT_PERMITTED 77

enum { FAILED = 1, USAGE = 2 };

static const uint32_t slot_counts[] = {1, USUAL_SLOTS, 64, 1024};
static const struct listening_options variants[] = {
	{.v4_prefix = 24, .v6_prefix = 48},
	{.has_proxies = true},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct cases {
	uint32_t count;
	struct cost costs[CASES_MAX];
	struct cost_bench *benches[CASES_MAX];
};

static int failed(const char *what, int error)
{
	fprintf(stderr, "program: %s: %s\n", what, strerror(-error));
	return error == -EPERM ? NOT_PERMITTED : FAILED;
}

static void list_cases(struct cases *cases)
{
	int family;
	size_t i;

	for (family = 0; family < CLIENT_FAMILY_COUNT; family++) {
		for (i = 0; i < COUNT_OF(slot_counts); i++)
			cases->costs[cases->count++] = (struct cost){
				.family = (enum client_family)family, .slots = slot_counts[i]};
		for (i = 0; i < COUNT_OF(variants); i++)
			cases->costs[cases->count++] =
				(struct cost){.family = (enum client_family)family,
					      .slots = USUAL_SLOTS,
					      .options = variants[i]};
	}
}

static int open_cases(struct cases *cases)
{
	uint32_t i;
	int error = 0;

	for (i = 0; !error && i < cases->count; i++)
		error = cost_open(&cases->costs[i], &cases->benches[i]);
	return error;
}

/* The cases take turns, so that a disturbance of the machine affects all of them. */
static int run_rounds(struct cases *cases, uint32_t rounds, uint32_t runs)
{
	uint32_t round, i;
	int error = 0;

	for (i = 0; !error && i < cases->count; i++) {
		error = cost_round(cases->benches[i], WARM_UP);
		memset(cases->costs[i].series, 0, sizeof(cases->costs[i].series));
	}
	for (round = 0; !error && round < rounds; round++)
		for (i = 0; !error && i < cases->count; i++)
			error = cost_round(cases->benches[i], runs);
	return error;
}

static int measure(struct cases *cases, uint32_t rounds, uint32_t runs)
{
	int stats = program_stats_enable(), error;
	uint32_t i;

	if (stats < 0)
		return failed("the kernel does not let us measure BPF programs (bpf(2), "
			      "BPF_ENABLE_STATS: CAP_SYS_ADMIN)",
			      stats);
	error = open_cases(cases);
	if (!error)
		error = run_rounds(cases, rounds, runs);
	for (i = 0; i < cases->count; i++)
		cost_close(cases->benches[i]);
	close(stats);
	return error ? failed("measuring the program", error) : 0;
}

int main(int argc, char **argv)
{
	static struct cases cases;
	uint32_t rounds, runs;
	int error;

	if (argc != 3) {
		fputs("usage: program ROUNDS RUNS\n", stderr);
		return USAGE;
	}
	rounds = arguments_number("program", argv[1], 1, SAMPLES_MAX);
	runs = arguments_number("program", argv[2], 1, 1000000);
	arguments_raise_descriptor_limit();
	error = loopback_enter();
	if (error)
		return failed("a network namespace (CAP_SYS_ADMIN)", error);
	list_cases(&cases);
	error = measure(&cases, rounds, runs);
	if (!error && report_write(cases.costs, cases.count, stdout))
		error = failed("writing", -EIO);
	return error;
}
