// SPDX-License-Identifier: MIT
#include "result.h"

#include <stdio.h>
#include <stdlib.h>

#include "heap.h"

#define LATENCIES_ROOM_FIRST 65536
#define HISTOGRAM_BITS	     5
#define HISTOGRAM_STEPS	     (1u << HISTOGRAM_BITS)

struct result result_empty(void)
{
	return (struct result){
		.latencies_us = heap_allocate(LATENCIES_ROOM_FIRST, sizeof(uint32_t)),
		.latencies_room = LATENCIES_ROOM_FIRST,
	};
}

void result_free(struct result *result)
{
	free(result->latencies_us);
}

static void keep_latency(struct result *result, int64_t latency_ns)
{
	uint64_t index = result->outcomes[OUTCOME_ANSWERED];
	int64_t us = latency_ns / 1000;

	if (index == result->latencies_room) {
		result->latencies_room *= 2;
		result->latencies_us = heap_resize(result->latencies_us, result->latencies_room,
						   sizeof(result->latencies_us[0]));
	}
	result->latencies_us[index] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

void result_count(struct result *result, enum outcome outcome, int64_t latency_ns)
{
	if (outcome == OUTCOME_ANSWERED)
		keep_latency(result, latency_ns);
	result->outcomes[outcome]++;
}

void result_count_answer(struct result *result, uint32_t slot, enum stickiness stickiness)
{
	result->per_slot[slot]++;
	result->unsticky += stickiness == STICKINESS_LOST;
	result->backward += stickiness == STICKINESS_BACKWARD;
}

static int compare_latencies(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

/* Returns the smallest latency that `share` of the answers did not exceed: the nearest rank. */
static uint32_t percentile(const struct result *result, double share)
{
	uint64_t count = result->outcomes[OUTCOME_ANSWERED];
	uint64_t rank = (uint64_t)((double)count * share);

	if (!count)
		return 0;
	if ((double)rank < (double)count * share)
		rank++;
	return result->latencies_us[rank ? rank - 1 : 0];
}

static void print_latencies(struct result *result)
{
	qsort(result->latencies_us, result->outcomes[OUTCOME_ANSWERED],
	      sizeof(result->latencies_us[0]), compare_latencies);
	printf("\"latency_us\":{\"p50\":%u,\"p99\":%u,\"p999\":%u,\"max\":%u},",
	       percentile(result, 0.5), percentile(result, 0.99), percentile(result, 0.999),
	       percentile(result, 1));
}

/*
 * Returns the highest latency that is counted in the same class. Classes have a width of 1/32 of
 * their value, as in HdrHistogram.
 */
static uint32_t histogram_top(uint32_t us)
{
	uint32_t shift = us < 2 * HISTOGRAM_STEPS
				 ? 0
				 : 32 - (uint32_t)__builtin_clz(us) - HISTOGRAM_BITS - 1;

	return ((us >> shift) << shift) + ((1u << shift) - 1);
}

/*
 * Print [[us, count], ...], ascending. The form allows that histograms of several runs are added.
 */
static void print_histogram(const struct result *result)
{
	uint64_t count = result->outcomes[OUTCOME_ANSWERED], first, next;

	printf("\"histogram\":[");
	for (first = 0; first < count; first = next) {
		uint32_t top = histogram_top(result->latencies_us[first]);

		for (next = first + 1; next < count && result->latencies_us[next] <= top; next++)
			;
		printf("%s[%u,%llu]", first ? "," : "", top, (unsigned long long)(next - first));
	}
	printf("],");
}

static void print_slots(const struct result *result)
{
	const char *separator = "";
	int slot;

	printf("\"per_slot\":{");
	for (slot = 0; slot < SLOTS_MAX; slot++)
		if (result->per_slot[slot]) {
			printf("%s\"%d\":%llu", separator, slot,
			       (unsigned long long)result->per_slot[slot]);
			separator = ",";
		}
	printf("}");
}

static void print_count(const char *name, uint64_t count)
{
	printf("\"%s\":%llu,", name, (unsigned long long)count);
}

void result_print(struct result *result)
{
	int outcome;

	printf("{");
	print_count("connections", result->begun);
	for (outcome = 0; outcome < OUTCOME_COUNT; outcome++)
		print_count(outcome_names[outcome], result->outcomes[outcome]);
	print_count("not_begun", result->not_begun);
	print_count("unsticky", result->unsticky);
	print_count("backward", result->backward);
	print_count("mismatched", result->mismatched);
	printf("\"seconds\":%.6f,\"per_second\":%.1f,\"cpu_seconds\":%.6f,", result->seconds,
	       (double)result->answered_in_time / result->begin_seconds, result->cpu_seconds);
	print_latencies(result);
	print_histogram(result);
	print_slots(result);
	printf("}\n");
}

bool result_is_well(const struct result *result)
{
	return result->begun && result->outcomes[OUTCOME_ANSWERED] == result->begun &&
	       !result->not_begun && !result->unsticky && !result->backward && !result->mismatched;
}
