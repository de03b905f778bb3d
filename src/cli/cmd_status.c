// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/exit_code.h"
#include "common/units.h"
#include "cli/client.h"
#include "cli/command.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key != 'j')
		return command_parse_nothing(key, arg, state);
	*(bool *)state->input = true;
	return 0;
}

static const char *text_of(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static uint64_t number_of(const json_t *json, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(json, key));
}

/* Print the counters of the connections that the controller accepts and passes to workers. */
static void show_frontend(const json_t *status)
{
	const json_t *counters = json_object_get(status, "counters");

	if (strcmp(text_of(status, "steering"), "kernel"))
		printf("steering by %s: %s\n", text_of(status, "steering"),
		       text_of(status, "steering_reason"));
	printf("behind a proxy: %s; accepted %llu, passed on %llu, wrong headers %llu, too slow "
	       "%llu; silent now %llu\n",
	       text_of(status, "behind_proxy"),
	       (unsigned long long)number_of(counters, "dispatched"),
	       (unsigned long long)number_of(counters, "handed"),
	       (unsigned long long)number_of(counters, "bad_proxy_header"),
	       (unsigned long long)number_of(counters, "head_timeout"),
	       (unsigned long long)number_of(counters, "pending_heads"));
}

/* Show a reload that waits, and what it waits for. */
static void show_waiting(const json_t *status)
{
	const json_t *slot = json_object_get(json_object_get(status, "reload"), "waits_for_slot");

	if (json_is_integer(slot))
		printf("the reload waits: slot %d waits until a draining worker has ended\n",
		       (int)json_integer_value(slot));
}

/*
 * Show that another process detached the program, so that clients were not sent to their own
 * workers for a time.
 */
static void show_restored(const json_t *status)
{
	unsigned long long count = number_of(status, "steering_restored");

	if (count)
		printf("steering was lost and restored %llu times: see 'stickyctl events'\n",
		       count);
}

static void show_foreign(const json_t *status)
{
	const json_t *list = json_object_get(status, "foreign_listeners");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *foreign = json_array_get(list, i);

		printf("foreign listener at %s, pid %d: %s\n", text_of(foreign, "address"),
		       (int)number_of(foreign, "pid"), text_of(foreign, "command"));
	}
}

static void show_instance(const json_t *status)
{
	const json_t *listeners = json_object_get(status, "listeners");
	const json_t *counters = json_object_get(status, "counters");
	char uptime[DURATION_TEXT_SIZE];
	size_t i;

	format_duration(number_of(status, "uptime_ms"), uptime);
	printf("%s: %s, pid %d, up %s, steering %s, seed id %s\nlistening on",
	       text_of(status, "name"), text_of(status, "state"), (int)number_of(status, "pid"),
	       uptime, text_of(status, "steering"), text_of(status, "seed_id"));
	for (i = 0; i < json_array_size(listeners); i++)
		printf(" %s", json_string_value(json_array_get(listeners, i)));
	printf("\nplaced %llu, moved %llu, empty slot %llu, refused %llu; waiting now %llu\n",
	       (unsigned long long)number_of(counters, "steered"),
	       (unsigned long long)number_of(counters, "migrated"),
	       (unsigned long long)number_of(counters, "empty_slot"),
	       (unsigned long long)number_of(counters, "dropped"),
	       (unsigned long long)number_of(status, "held"));
	if (strcmp(text_of(status, "behind_proxy"), "no") ||
	    strcmp(text_of(status, "steering"), "kernel"))
		show_frontend(status);
	show_waiting(status);
	show_restored(status);
	show_foreign(status);
	putchar('\n');
}

static void show_worker(const json_t *worker)
{
	const char *exit = text_of(json_object_get(worker, "last_exit"), "text");
	const char *words = text_of(worker, "status");
	char uptime[DURATION_TEXT_SIZE], rss[DURATION_TEXT_SIZE] = "-", pid[16] = "-";
	bool runs = json_is_integer(json_object_get(worker, "pid"));

	if (runs)
		snprintf(pid, sizeof(pid), "%d", (int)number_of(worker, "pid"));
	format_duration(number_of(worker, runs ? "uptime_ms" : "restart_in_ms"), uptime);
	/* 0 means that the memory could not be measured. */
	if (number_of(worker, "rss_bytes"))
		format_bytes(number_of(worker, "rss_bytes"), rss);
	printf("%4d %8s %-9s %4llu %8s %8llu %6.2f%% %9llu %9llu %5llu %6llu %7s%s%s%s%s\n",
	       (int)number_of(worker, "slot"), pid, text_of(worker, "state"),
	       (unsigned long long)number_of(worker, "generation"), uptime,
	       (unsigned long long)number_of(worker, "restarts"),
	       100.0 * (double)number_of(worker, "buckets") / 65536,
	       (unsigned long long)number_of(worker, "steered"),
	       (unsigned long long)number_of(worker, "handed"),
	       (unsigned long long)number_of(worker, "queue"),
	       (unsigned long long)number_of(worker, "connections"), runs ? rss : "-",
	       *words ? "  " : "", words, *exit ? "  last " : "", exit);
}

#define DRAINING_LINES 10

static void show_draining_worker(const json_t *worker)
{
	char rss[DURATION_TEXT_SIZE], left[DURATION_TEXT_SIZE];
	unsigned long long kill_in_ms = number_of(worker, "kill_in_ms");

	format_bytes(number_of(worker, "rss_bytes"), rss);
	printf("  slot %d, pid %d, generation %llu, %s: %llu open, %s",
	       (int)number_of(worker, "slot"), (int)number_of(worker, "pid"),
	       (unsigned long long)number_of(worker, "generation"), text_of(worker, "state"),
	       (unsigned long long)number_of(worker, "connections"), rss);
	if (kill_in_ms) {
		format_duration(kill_in_ms, left);
		printf(", killed in %s", left);
	}
	putchar('\n');
}

/* Show the workers that finish their last connections. */
static void show_draining(const json_t *status)
{
	const json_t *draining = json_object_get(status, "draining");
	size_t count = json_array_size(draining), i;

	if (!count)
		return;
	printf("draining, %zu:\n", count);
	for (i = 0; i < count && i < DRAINING_LINES; i++)
		show_draining_worker(json_array_get(draining, i));
	if (count > DRAINING_LINES)
		printf("  and %zu more: status --json\n", count - DRAINING_LINES);
}

static void show(const json_t *status)
{
	const json_t *workers = json_object_get(status, "workers");
	size_t i;

	show_instance(status);
	puts("SLOT      PID STATE      GEN   UPTIME RESTARTS CLIENTS    PLACED    PASSED QUEUE   "
	     "OPEN "
	     " MEMORY");
	for (i = 0; i < json_array_size(workers); i++)
		show_worker(json_array_get(workers, i));
	show_draining(status);
}

int command_status(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{.name = "json", .key = 'j', .doc = "As JSON"},
		{0},
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Show the instance and its workers. CLIENTS is a slot's share of all "
		       "clients. The other columns count connections: PLACED those that the kernel "
		       "sent to the slot, PASSED those that stickyctl accepted and passed to the "
		       "worker, QUEUE those that wait to be accepted, OPEN those that the worker "
		       "has accepted and not closed.",
	};
	struct config config;
	json_t *status = NULL;
	bool as_json = false;
	int result;

	command_parse(&argp, argc, argv, &as_json, &config);
	result = client_ask(&config, "GET", "/v1/status", 10, &status, NULL);
	config_fini(&config);
	if (result)
		return result;
	if (as_json)
		json_dumpf(status, stdout, JSON_INDENT(2)), putchar('\n');
	else
		show(status);
	json_decref(status);
	return EXIT_DONE;
}
