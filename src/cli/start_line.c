// SPDX-License-Identifier: MIT
#include <string.h>

#include "cli/command.h"
#include "cli/start.h"

error_t start_line_parse(struct start_line *line, int key, char *arg, struct argp_state *state)
{
	const struct config_option *option;

	if (key == ARGP_KEY_ARG) {
		/*
		 * Every word from here on belongs to the worker's command, with or without a '--'.
		 */
		line->sources.command = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	}
	option = option_by_key(key);
	if (!option || option->doc.every_command)
		return ARGP_ERR_UNKNOWN;
	command_take(&line->scratch, &line->sources, key, arg, state);
	return 0;
}

/* The groups of options, in the order of --help. An option that is in none comes last. */
static const struct {
	const char *title;
	const char *names; /* a space follows each name */
} groups[] = {
	{"The instance:", "config daemon state-dir admin "},
	{"Addresses:",
	 "listen slot-listen backlog tcp-defer-accept tcp-fastopen freebind bind-device mark "
	 "transparent "},
	{"Workers:", "workers worker chdir env env-file user node-preload serialization "},
	{"When a worker is ready, and when it ends:",
	 "ready min-uptime ready-timeout restart-limit watchdog hang-timeout on-hang stop-signal "
	 "stop-message "
	 "term-after hard-shutdown-delay stop-delay "},
	{"While a slot has no worker:", "when-down max-retries retry-delay down-answer max-held "},
	{"Reload:",
	 "reload-parallel reload-order max-draining handshake-grace max-rss max-lifetime "},
	{"Which worker a client goes to:",
	 "steering require-engine v4-prefix v6-prefix seed-file dispatchers "},
	{"The log:", "log-level log-format log-file worker-log "},
	{"Behind a proxy:", "behind-proxy client-ip-header trusted-proxy proxy-keepalive "
			    "proxy-header head-timeout "},
	{"Other options:", ""},
};

#define GROUP_COUNT (sizeof(groups) / sizeof(groups[0]))

static size_t group_of(const char *name)
{
	size_t length = strlen(name), i;
	const char *at;

	for (i = 0; i < GROUP_COUNT - 1; i++)
		for (at = groups[i].names; *at; at += strcspn(at, " ") + 1)
			if (!strncmp(at, name, length) && at[length] == ' ')
				return i;
	return i;
}

/* Add the options of one group, below its title. Returns the new number of entries. */
static size_t add_group(size_t group, int flags, struct argp_option *options, size_t count)
{
	const struct config_option *option;
	size_t first = count, i;

	for (i = 0; (option = option_at(i)); i++) {
		if (option->doc.every_command || group_of(option->doc.name) != group)
			continue;
		if (count == first && !(flags & OPTION_HIDDEN))
			options[count++] = (struct argp_option){.doc = groups[group].title,
								.group = (int)group + 1};
		options[count++] = (struct argp_option){
			.name = option->doc.name,
			.key = option->doc.key,
			.arg = option->doc.arg,
			.flags = flags,
			.doc = option->doc.doc,
			.group = (int)group + 1,
		};
	}
	return count;
}

void start_line_options(int flags, struct argp_option ret_options[START_OPTIONS_MAX])
{
	size_t count = 0, group;

	for (group = 0; group < GROUP_COUNT; group++)
		count = add_group(group, flags, ret_options, count);
	memset(&ret_options[count], 0, sizeof(ret_options[0]));
}

_Static_assert(START_OPTIONS_MAX > OPTIONS_LIMIT + GROUP_COUNT, "there is room for the titles");

void start_line_fini(struct start_line *line)
{
	config_fini(&line->scratch);
	sources_fini(&line->sources);
}

/*
 * If a name or a file is given, the demo is not meant: the name may be misspelt, or the file may
 * have lost its command.
 */
bool start_lacks_command(const struct config *config)
{
	return !config->command && !config->listen.count &&
	       (config->file || strcmp(config->name, "default") != 0);
}
