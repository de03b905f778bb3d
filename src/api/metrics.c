// SPDX-License-Identifier: MIT
#include "api/metrics.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/metrics_text.h"

enum scale { AS_IS, MILLISECONDS };

/* A family with one value, which the document has under a key. */
struct single {
	struct family family;
	const char *key;
	enum scale scale;
};

/* A counter of the status, and the value of the label that it has in its family. */
struct counted {
	const char *key;
	const char *label_value;
};

static const struct single instance_singles[] = {
	{{"uptime_seconds", FAMILY_GAUGE, "seconds", "Time since the controller has begun."},
	 "uptime_ms",
	 MILLISECONDS},
	{{"slots", FAMILY_GAUGE, NULL, "Number of slots."}, "slots", AS_IS},
	{{"waiting_connections", FAMILY_GAUGE, NULL,
	  "Connections that wait for a worker now, in holding queues or in the controller."},
	 "held",
	 AS_IS},
	{{"steering_restored", FAMILY_COUNTER, NULL,
	  "How often the program had been detached, and was attached again."},
	 "steering_restored",
	 AS_IS},
};

static const struct single counter_singles[] = {
	{{"migrated_connections", FAMILY_COUNTER, NULL,
	  "Connections that were moved from a closed socket to its successor."},
	 "migrated",
	 AS_IS},
	{{"dispatched_connections", FAMILY_COUNTER, NULL,
	  "Connections that dispatchers have accepted."},
	 "dispatched",
	 AS_IS},
	{{"retries", FAMILY_COUNTER, NULL,
	  "How often a slot without a worker was looked at for a waiting client."},
	 "retried",
	 AS_IS},
	{{"head_too_long_connections", FAMILY_COUNTER, NULL,
	  "Connections of proxies that were placed by the proxy's own address, as the client is "
	  "not "
	  "named in the first 65536 bytes."},
	 "head_too_long",
	 AS_IS},
	{{"proxy_keepalive_connections", FAMILY_COUNTER, NULL,
	  "Connections of proxies that may carry requests of several clients."},
	 "proxy_keepalive",
	 AS_IS},
};

/* The placements of the program in the kernel. Each placement has exactly one result. */
static const struct family placements = {
	"placements", FAMILY_COUNTER, NULL,
	"What the program in the kernel did with new connections; each placement has one result. A "
	"SYN-cookie ACK counts again."};
static const struct counted placement_results[] = {
	{"steered", "own_slot"},
	{"empty_slot", "other_slot"},
	{"to_dispatchers", "dispatcher"},
	{"dropped", "refused"},
};

/*
 * Connections that the controller has accepted. Each of them leaves the controller by exactly one
 * exit.
 */
static const struct family exits = {
	"controller_connections", FAMILY_COUNTER, NULL,
	"Connections that the controller itself accepted, by how they left it; each has one exit."};
static const struct counted exit_counters[] = {
	{"handed", "worker"},
	{"answered_502", "answered"},
	{"client_gone", "client_gone"},
	{"bad_proxy_header", "bad_proxy_header"},
	{"head_timeout", "head_timeout"},
	{"closed_by_stop", "stop"},
	{"no_memory", "no_memory"},
	{"controller_ended", "controller_ended"},
};

static const struct family accepted = {"controller_accepted_connections", FAMILY_COUNTER, NULL,
				       "Connections that the controller itself accepted, by where: "
				       "by its dispatchers, or from a slot's "
				       "holding socket, to be answered."};
static const struct counted accepted_counters[] = {
	{"dispatched", "dispatcher"},
	{"accepted_from_holding", "holding_socket"},
};

static const struct single slot_singles[] = {
	{{"slot_handed_connections", FAMILY_COUNTER, NULL,
	  "Connections that were passed to the slot's workers and accepted there."},
	 "handed",
	 AS_IS},
	{{"slot_queued_connections", FAMILY_GAUGE, NULL,
	  "Connections that wait in the slot's queue to be accepted."},
	 "queue",
	 AS_IS},
	{{"slot_open_connections", FAMILY_GAUGE, NULL,
	  "Connections that the slot's worker has accepted and not closed."},
	 "connections",
	 AS_IS},
	{{"slot_queue_overflows", FAMILY_COUNTER, NULL,
	  "SYN packets that were dropped as a queue of the slot was full."},
	 "overflows",
	 AS_IS},
	{{"slot_buckets", FAMILY_GAUGE, NULL, "The slot's share of the 65536 buckets."},
	 "buckets",
	 AS_IS},
	{{"slot_generation", FAMILY_GAUGE, NULL, "Number of the worker in its slot, from 1."},
	 "generation",
	 AS_IS},
	{{"slot_restarts", FAMILY_COUNTER, NULL,
	  "Workers that were begun because the slot's previous one had ended by itself."},
	 "restarts",
	 AS_IS},
	{{"slot_killed_workers", FAMILY_COUNTER, NULL,
	  "Workers that outlived the hard-shutdown delay."},
	 "killed",
	 AS_IS},
	{{"slot_draining_workers", FAMILY_GAUGE, NULL,
	  "Workers that have left the slot and have not ended yet."},
	 "draining",
	 AS_IS},
	{{"worker_uptime_seconds", FAMILY_GAUGE, "seconds", "Age of the slot's worker."},
	 "uptime_ms",
	 MILLISECONDS},
	{{"worker_hung_seconds", FAMILY_GAUGE, "seconds",
	  "For how long the worker has accepted nothing that waits; 0: it is not hung."},
	 "hung_ms",
	 MILLISECONDS},
	{{"worker_resident_memory_bytes", FAMILY_GAUGE, "bytes",
	  "Resident memory of the worker's process group."},
	 "rss_bytes",
	 AS_IS},
	{{"worker_cpu_seconds", FAMILY_COUNTER, "seconds",
	  "CPU time of the worker's process group; it begins anew with each worker."},
	 "cpu_ms",
	 MILLISECONDS},
};

static const struct single slot_placements = {
	{"slot_placements", FAMILY_COUNTER, NULL,
	 "Placements of new connections in their own slot. A SYN-cookie ACK counts again."},
	"steered",
	AS_IS,
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* ---- Samples -------------------------------------------------------------------------- */

static void write_from(const struct metrics_text *text, const struct single *single,
		       const struct label *labels, const json_t *object)
{
	const json_t *value = json_object_get(object, single->key);

	if (!json_is_integer(value))
		return;
	if (single->scale == MILLISECONDS)
		metrics_sample_ms(text, &single->family, labels,
				  (uint64_t)json_integer_value(value));
	else
		metrics_sample(text, &single->family, labels, (uint64_t)json_integer_value(value));
}

static void write_singles(const struct metrics_text *text, const struct single *singles,
			  size_t count, const json_t *object)
{
	size_t i;

	for (i = 0; i < count; i++) {
		metrics_family(text, &singles[i].family);
		write_from(text, &singles[i], NULL, object);
	}
}

static void write_counted(const struct metrics_text *text, const struct family *family,
			  const char *label, const struct counted *counted, size_t count,
			  const json_t *counters)
{
	size_t i;

	metrics_family(text, family);
	for (i = 0; i < count; i++) {
		const json_t *value = json_object_get(counters, counted[i].key);
		const struct label labels[METRICS_LABELS_MAX] = {{label, counted[i].label_value}};

		if (json_is_integer(value))
			metrics_sample(text, family, labels, (uint64_t)json_integer_value(value));
	}
}

/* Write a gauge that is 1 for the present state. */
static void write_state(const struct metrics_text *text, const struct family *family,
			const char *state)
{
	const struct label labels[METRICS_LABELS_MAX] = {{"state", state}};

	metrics_family(text, family);
	metrics_sample(text, family, labels, 1);
}

/* ---- The instance --------------------------------------------------------------------- */

static void write_start(const struct metrics_text *text, const json_t *status)
{
	static const struct family family = {"start_time_seconds", FAMILY_GAUGE, "seconds",
					     "When the controller began, in seconds since 1970."};
	struct tm tm = {0};

	metrics_family(text, &family);
	if (strptime(text_of(status, "started_at"), "%Y-%m-%dT%H:%M:%S", &tm))
		metrics_sample(text, &family, NULL, (uint64_t)timegm(&tm));
}

static void write_build(const struct metrics_text *text, const json_t *status)
{
	static const struct family family = {"build_info", FAMILY_GAUGE, NULL,
					     "Version of stickyctl, and the engine in use."};
	const struct label labels[METRICS_LABELS_MAX] = {
		{"version", text_of(status, "version")},
		{"steering", text_of(status, "steering")},
	};

	metrics_family(text, &family);
	metrics_sample(text, &family, labels, 1);
}

static void write_instance(const struct metrics_text *text, const json_t *status)
{
	static const struct family state = {"instance_state", FAMILY_GAUGE, NULL,
					    "1 for the state of the instance."};
	static const struct family foreign = {
		"foreign_listeners", FAMILY_GAUGE, NULL,
		"Processes that listen at the instance's ports and do not belong to it."};

	write_build(text, status);
	write_start(text, status);
	write_state(text, &state, text_of(status, "state"));
	write_singles(text, instance_singles, COUNT(instance_singles), status);
	metrics_family(text, &foreign);
	metrics_sample(text, &foreign, NULL,
		       json_array_size(json_object_get(status, "foreign_listeners")));
}

static void write_counters(const struct metrics_text *text, const json_t *status)
{
	const json_t *counters = json_object_get(status, "counters");

	if (json_is_true(json_object_get(status, "counts_placements")))
		write_counted(text, &placements, "result", placement_results,
			      COUNT(placement_results), counters);
	write_counted(text, &accepted, "source", accepted_counters, COUNT(accepted_counters),
		      counters);
	write_counted(text, &exits, "exit", exit_counters, COUNT(exit_counters), counters);
	write_singles(text, counter_singles, COUNT(counter_singles), counters);
}

static void write_in_progress(const struct metrics_text *text, const struct metrics_input *input)
{
	static const struct family family = {
		"controller_present_connections", FAMILY_GAUGE, NULL,
		"Connections that the controller has accepted and that have not left it, by what "
		"they wait for."};
	static const char *const names[] = {"head", "worker", "acceptance"};
	const uint32_t values[] = {input->heads, input->waiting, input->on_the_way};
	size_t i;

	metrics_family(text, &family);
	for (i = 0; i < COUNT(values); i++) {
		const struct label labels[METRICS_LABELS_MAX] = {{"waits_for", names[i]}};

		metrics_sample(text, &family, labels, values[i]);
	}
}

/* ---- Reloads and waiting ------------------------------------------------------------------ */

static void write_reload(const struct metrics_text *text, const struct metrics_input *input)
{
	static const struct family state = {"reload_state", FAMILY_GAUGE, NULL,
					    "1 for the state of the last reload."};
	static const struct family totals = {
		"reloads", FAMILY_COUNTER, NULL,
		"Reloads that have ended, since the controller began."};
	static const struct family durations = {"reload_duration_seconds", FAMILY_HISTOGRAM,
						"seconds", "How long reloads took."};
	const struct label succeeded[METRICS_LABELS_MAX] = {{"result", "succeeded"}};
	const struct label failed[METRICS_LABELS_MAX] = {{"result", "failed"}};

	write_state(text, &state, text_of(json_object_get(input->status, "reload"), "state"));
	metrics_family(text, &totals);
	metrics_sample(text, &totals, succeeded, input->reloads->succeeded);
	metrics_sample(text, &totals, failed, input->reloads->failed);
	metrics_histogram(text, &durations, &input->reloads->durations);
}

static void write_waits(const struct metrics_text *text, const struct metrics_input *input)
{
	static const struct family waits = {
		"wait_duration_seconds", FAMILY_HISTOGRAM, "seconds",
		"How long connections waited in the controller for a worker, since it began. Those "
		"that did not wait are not counted."};

	static const struct family holding = {"holding_wait_duration_seconds", FAMILY_HISTOGRAM,
					      "seconds",
					      "How long connections waited in the holding sockets "
					      "of slots without a worker, since the "
					      "controller began, until a worker got them or they "
					      "were answered. Each is counted from "
					      "the first look at the queue that found it there: at "
					      "most --retry-delay too short."};

	if (input->holding_waits)
		metrics_histogram(text, &holding, input->holding_waits);
	if (input->waits)
		metrics_histogram(text, &waits, input->waits);
}

/* ---- Slots -------------------------------------------------------------------------------- */

#define SLOT_SIZE 16

static void format_slot(const json_t *worker, char ret_slot[SLOT_SIZE])
{
	snprintf(ret_slot, SLOT_SIZE, "%d",
		 (int)json_integer_value(json_object_get(worker, "slot")));
}

static void write_slot_family(const struct metrics_text *text, const struct single *single,
			      const json_t *workers)
{
	const json_t *worker;
	char slot[SLOT_SIZE];
	size_t i;

	metrics_family(text, &single->family);
	json_array_foreach(workers, i, worker)
	{
		const struct label labels[METRICS_LABELS_MAX] = {{"slot", slot}};

		format_slot(worker, slot);
		write_from(text, single, labels, worker);
	}
}

static void write_slot_states(const struct metrics_text *text, const json_t *workers)
{
	static const struct family family = {
		"slot_state", FAMILY_GAUGE, NULL,
		"1 for the state of the slot's worker, or of the slot."};
	const json_t *worker;
	char slot[SLOT_SIZE];
	size_t i;

	metrics_family(text, &family);
	json_array_foreach(workers, i, worker)
	{
		const struct label labels[METRICS_LABELS_MAX] = {
			{"slot", slot}, {"state", text_of(worker, "state")}};

		format_slot(worker, slot);
		metrics_sample(text, &family, labels, 1);
	}
}

static void write_slots(const struct metrics_text *text, const json_t *status)
{
	const json_t *workers = json_object_get(status, "workers");
	size_t i;

	write_slot_states(text, workers);
	if (json_is_true(json_object_get(status, "counts_placements")))
		write_slot_family(text, &slot_placements, workers);
	for (i = 0; i < COUNT(slot_singles); i++)
		write_slot_family(text, &slot_singles[i], workers);
}

/* ---- The whole text ------------------------------------------------------------------------ */

char *metrics_render(const struct metrics_input *input, enum metrics_format format)
{
	char *memory = NULL;
	size_t size = 0;
	struct metrics_text text = {.out = open_memstream(&memory, &size), .format = format};
	bool failed;

	if (!text.out)
		return NULL;
	write_instance(&text, input->status);
	write_counters(&text, input->status);
	write_in_progress(&text, input);
	write_reload(&text, input);
	write_waits(&text, input);
	write_slots(&text, input->status);
	if (format == METRICS_OPENMETRICS)
		fputs("# EOF\n", text.out);
	failed = ferror(text.out);
	failed |= fclose(text.out) != 0;
	if (!failed)
		return memory;
	free(memory);
	return NULL;
}

#define OPENMETRICS "application/openmetrics-text"

const char *metrics_content_type(enum metrics_format format)
{
	static const char *const types[METRICS_FORMAT_COUNT] = {
		[METRICS_PROMETHEUS] = "text/plain; version=0.0.4; charset=utf-8",
		[METRICS_OPENMETRICS] = OPENMETRICS "; version=1.0.0; charset=utf-8",
	};

	return types[format];
}

enum metrics_format metrics_choose_format(const char *accept)
{
	return accept && strstr(accept, OPENMETRICS) ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
}
