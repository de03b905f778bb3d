// SPDX-License-Identifier: MIT
/*
 * Measures what our hash costs and how evenly it scatters clients, beside the hashes of the modules
 * that we replace. Also counts the clients that are moved when a worker is added, beside other ways
 * to place clients.
 *
 * The work is that of sticky-cluster's own benchmark: hash each address, find its worker, and count
 * the address there. Making the addresses is not measured. Each hash gets the address in the form
 * that it gets in use: see hash_inputs in lib/hashing.c.
 *
 * Prints one JSON object. Exit codes: 0 measured; 1 failed; 2 usage.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/addresses.h"
#include "lib/hash_report.h"
#include "lib/hashes.h"
#include "lib/hashing.h"
#include "lib/moves.h"
#include "lib/scatter.h"

#define WORKERS_MAX (STICKY_SLOTS_MAX - 1) /* one more worker is added */

enum exit_code { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int failed(const char *what, int error)
{
	fprintf(stderr, "hash: %s: %s\n", what, strerror(-error));
	return error;
}

/* ---- Options ----------------------------------------------------------------------- */

static void usage(void) __attribute__((noreturn));

static void usage(void)
{
	fprintf(stderr,
		"usage: hash [options]\n"
		"  --addresses N  client addresses, up to %d (100000)\n"
		"  --workers N    over which they are scattered, up to %d (10)\n"
		"  --rounds N     of each measurement, up to %d (15)\n",
		ADDRESSES_MAX, WORKERS_MAX, SAMPLES_MAX);
	exit(EXIT_USAGE);
}

static uint32_t number_option(const char *name, const char *text, uint32_t limit)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (!*text || *end || text[0] == '-' || errno || !value || value > limit) {
		fprintf(stderr, "hash: --%s %s: not a number from 1 to %u\n", name, text, limit);
		usage();
	}
	return (uint32_t)value;
}

static void parse_options(int argc, char **argv, struct hash_results *results)
{
	static const struct option options[] = {{"addresses", required_argument, NULL, 'a'},
						{"workers", required_argument, NULL, 'w'},
						{"rounds", required_argument, NULL, 'r'},
						{0}};
	int id;

	results->addresses = 100000;
	results->workers = 10;
	results->rounds = 15;
	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (id == 'a')
			results->addresses = number_option("addresses", optarg, ADDRESSES_MAX);
		else if (id == 'w')
			results->workers = number_option("workers", optarg, WORKERS_MAX);
		else if (id == 'r')
			results->rounds = number_option("rounds", optarg, SAMPLES_MAX);
		else
			usage();
	if (optind != argc)
		usage();
}

/* ---- Time and scatter -------------------------------------------------------------- */

static int pin_to_one_cpu(int *ret_cpu)
{
	int cpu = sched_getcpu();
	cpu_set_t cpus;

	if (cpu < 0)
		return -errno;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		return -errno;
	*ret_cpu = cpu;
	return 0;
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Count the addresses of a set once. Returns the time in ms. */
static double measure_once(const struct hashing *hashing, enum hash_kind kind,
			   const struct address_set *set, uint32_t *ret_counts)
{
	double start;

	memset(ret_counts, 0, hashing->workers * sizeof(*ret_counts));
	start = now_ms();
	hashing_count(hashing, kind, set, ret_counts);
	return now_ms() - start;
}

static void keep_scatter(struct hash_scatter *scatter, const uint32_t *counts, uint32_t workers)
{
	if (!scatter->chi_square.count)
		memcpy(scatter->counts, counts, workers * sizeof(*counts));
	sample_add(&scatter->chi_square, scatter_chi_square(counts, workers));
	sample_add(&scatter->max_min, scatter_max_min(counts, workers));
}

/* The hashes take turns, so that a disturbance of the machine affects all of them. */
static void measure_round(struct hashing *hashing, uint32_t round, enum address_set_kind set_kind,
			  const struct address_set *set, struct hash_results *results)
{
	uint32_t counts[STICKY_SLOTS_MAX], i;

	hashing_seed(hashing, round);
	for (i = 0; i < HASH_COUNT; i++) {
		enum hash_kind kind = (enum hash_kind)((round + i) % HASH_COUNT);
		double ms = measure_once(hashing, kind, set, counts);

		keep_scatter(&results->scatter[set_kind][kind], counts, results->workers);
		if (set_kind == SET_RANDOM)
			sample_add(&results->ms[kind], ms);
	}
}

static void warm_up(const struct hashing *hashing, const struct address_set *set)
{
	uint32_t counts[STICKY_SLOTS_MAX];
	int kind;

	for (kind = 0; kind < HASH_COUNT; kind++)
		measure_once(hashing, (enum hash_kind)kind, set, counts);
}

static int measure_set(struct hashing *hashing, enum address_set_kind kind,
		       struct hash_results *results)
{
	struct address_set set;
	int error = address_set_open(kind, results->addresses, &set);
	uint32_t round;

	if (error)
		return failed(address_set_names[kind], error);
	results->set_sizes[kind] = set.count;
	warm_up(hashing, &set);
	for (round = 0; round < results->rounds; round++)
		measure_round(hashing, round, kind, &set, results);
	address_set_close(&set);
	return 0;
}

/* ---- Moved clients ----------------------------------------------------------------- */

static void list_sizes(struct hash_results *results)
{
	static const uint32_t sizes[] = {1, 2, 4, 10, 16, 32, 64};
	bool is_listed = false;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		results->moves[results->move_count++].of = sizes[i];
		is_listed = is_listed || sizes[i] == results->workers;
	}
	if (!is_listed)
		results->moves[results->move_count++].of = results->workers;
}

static int measure_moves(struct hashing *hashing, struct hash_results *results)
{
	struct address_set set;
	int error = address_set_open(SET_RANDOM, results->addresses, &set);
	uint32_t i;

	if (error)
		return failed("who is moved", error);
	list_sizes(results);
	for (i = 0; !error && i < results->move_count; i++)
		error = moves_measure(hashing, &set, results->rounds, &results->moves[i]);
	address_set_close(&set);
	return error ? failed("who is moved", error) : 0;
}

static int measure(struct hash_results *results)
{
	static struct hashing hashing;
	int set, error = 0;

	hashing_init(&hashing, results->workers);
	for (set = 0; !error && set < SET_COUNT; set++)
		error = measure_set(&hashing, (enum address_set_kind)set, results);
	return error ? error : measure_moves(&hashing, results);
}

int main(int argc, char **argv)
{
	static struct hash_results results;
	const char *wrong = hashes_find_wrong();
	int error;

	parse_options(argc, argv, &results);
	if (wrong) {
		fprintf(stderr, "hash: wrong: %s is not what the module answers\n", wrong);
		return EXIT_FAILED;
	}
	error = pin_to_one_cpu(&results.cpu);
	if (error)
		failed("pinning to one CPU", error);
	if (error || measure(&results))
		return EXIT_FAILED;
	hash_report_write(stdout, &results);
	if (fflush(stdout) || ferror(stdout)) {
		failed("stdout", -errno);
		return EXIT_FAILED;
	}
	return 0;
}
