// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "cli/command.h"
#include "client/instances.h"
#include "client/leftovers.h"
#include "common/json_fields.h"
#include "common/exit_code.h"
#include "common/units.h"

#define ANSWER_S 2 /* seconds that an instance may take to answer */

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key != 'j')
		return command_parse_nothing(key, arg, state);
	*(bool *)state->input = true;
	return 0;
}

/*
 * Ask an instance of this user for its status. An instance of another user may answer anything, as
 * slowly as it likes: therefore root does not ask it.
 */
static json_t *ask(const struct found_instance *instance)
{
	const struct config config = {.name = instance->name, .run_dir = instance->run_dir};
	json_t *status = NULL;

	if (instance->uid == geteuid())
		client_ask_quietly(&config, "/v1/status", ANSWER_S, &status);
	return status;
}

static json_int_t count_ready(const json_t *status)
{
	json_int_t count = 0;
	json_t *worker;
	size_t i;

	json_array_foreach(json_object_get(status, "workers"), i, worker)
	{
		count += !strcmp(field_text(worker, "state"), "ready");
	}
	return count;
}

/* Describe an instance as JSON. Unknown values are null. */
static json_t *describe(const struct found_instance *instance)
{
	json_t *status = ask(instance);
	char user[64], remedy[REMEDY_SIZE];
	json_t *json;

	instances_user(instance->uid, sizeof(user), user);
	instances_remedy(instance, remedy);
	json = json_pack("{s:s, s:s, s:s, s:s, s:O?, s:O?, s:O?, s:o, s:i}", "name", instance->name,
			 "user", user, "run_dir", instance->run_dir, "command", remedy, "pid",
			 json_object_get(status, "pid"), "uptime_ms",
			 json_object_get(status, "uptime_ms"), "slots",
			 json_object_get(status, "slots"), "ready",
			 status ? json_integer(count_ready(status)) : json_null(), "left_workers",
			 (int)instance->left_workers);
	json_decref(status);
	return json;
}

static void show_line(const json_t *instance)
{
	char pid[24] = "-", ready[48] = "-", uptime[DURATION_TEXT_SIZE] = "-";

	if (field_number(instance, "left_workers")) {
		snprintf(pid, sizeof(pid), "died");
	} else if (json_is_integer(json_object_get(instance, "pid"))) {
		snprintf(pid, sizeof(pid), "%llu", field_number(instance, "pid"));
		snprintf(ready, sizeof(ready), "%llu/%llu", field_number(instance, "ready"),
			 field_number(instance, "slots"));
		format_duration(field_number(instance, "uptime_ms"), uptime);
	}
	printf("%-16s %-10s %7s %9s %8s %s\n", field_text(instance, "name"),
	       field_text(instance, "user"), pid, ready, uptime, field_text(instance, "run_dir"));
}

/* List the commands that show the instances of other users. */
static void show_others(const json_t *list)
{
	bool is_first = true;
	json_t *instance;
	size_t i;

	json_array_foreach(list, i, instance)
	{
		if (json_is_integer(json_object_get(instance, "pid")) ||
		    field_number(instance, "left_workers"))
			continue;
		if (is_first)
			puts("more about those of other users:");
		is_first = false;
		printf("  %s\n", field_text(instance, "command"));
	}
}

static void show(const json_t *list)
{
	json_t *instance;
	size_t i;

	if (!json_array_size(list)) {
		puts("no instance is running");
		return;
	}
	printf("%-16s %-10s %7s %9s %8s %s\n", "NAME", "USER", "PID", "READY", "UPTIME",
	       "RUN DIRECTORY");
	json_array_foreach(list, i, instance)
	{
		show_line(instance);
	}
	show_others(list);
}

/* Say of one whose controller has died which workers live on, and what to do about them. */
static void tell_left(const struct found_instance *instance)
{
	const struct config config = {.name = instance->name,
				      .run_dir =
					      instance->is_default_dir ? NULL : instance->run_dir};

	if (instance->left_workers)
		leftovers_tell(&config);
}

static int list(const struct config *config, bool as_json)
{
	struct found_instances instances;
	json_t *found = json_array();
	size_t i;
	int error = instances_find(config->run_dir, &instances);

	for (i = 0; i < instances.count; i++)
		json_array_append_new(found, describe(&instances.list[i]));
	if (as_json)
		json_dumpf(found, stdout, JSON_INDENT(2)), putchar('\n');
	else
		show(found);
	fflush(stdout);
	for (i = 0; i < instances.count && !as_json; i++)
		tell_left(&instances.list[i]);
	instances_fini(&instances);
	json_decref(found);
	if (error)
		fprintf(stderr, "stickyctl: %s\n", strerror(-error));
	return error ? EXIT_FAILED : EXIT_DONE;
}

const struct argp_option command_list_options[] = {
	{.name = "json", .key = 'j', .doc = "As JSON"},
	{0},
};

int command_list(int argc, char **argv)
{
	static const struct argp argp = {
		.options = command_list_options,
		.parser = parse,
		.doc = "Show the instances that run on this machine, whatever their names, also "
		       "those of other users as far as they can be seen. READY is the number of "
		       "ready workers, and of slots. Those whose controller has died are shown, "
		       "too, "
		       "while workers of them serve on. With --run-dir: those of this directory.",
	};
	struct config config;
	bool as_json = false;
	int result;

	command_parse(&argp, argc, argv, &as_json, &config);
	result = list(&config, as_json);
	config_fini(&config);
	return result;
}
