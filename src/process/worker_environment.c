// SPDX-License-Identifier: MIT
#include "process/worker_environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/channel.h"
#include "process/spawn.h"
#include "sticky.h"

/* Variables that a worker must not inherit. */
static const char *const not_inherited[] = {
	"LISTEN_FDS",
	"LISTEN_PID",
	"LISTEN_FDNAMES",
	"NOTIFY_SOCKET",
	"WATCHDOG_PID",
	"WATCHDOG_USEC",
	"JOURNAL_STREAM",
	CHANNEL_VARIABLE,
	"NODE_CHANNEL_FD",
	"NODE_UNIQUE_ID",
	"NODE_CHANNEL_SERIALIZATION_MODE",
};

static int set_number(struct environment *environment, const char *name, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return environment_set(environment, name, text);
}

static int set_identity(struct environment *environment, const struct identity *identity)
{
	int error;

	if (!identity->change)
		return 0;
	error = environment_set(environment, "HOME", identity->home);
	if (!error)
		error = environment_set(environment, "USER", identity->name);
	if (!error)
		error = environment_set(environment, "LOGNAME", identity->name);
	if (!error)
		error = environment_set(environment, "SHELL", identity->shell);
	return error;
}

static int set_assignments(struct environment *environment, const struct worker_environment *spec,
			   struct error_text *ret_error)
{
	const struct user_rights user = identity_rights(spec->identity);
	const struct config *config = spec->config;
	unsigned int slot = spec->slot;
	size_t i;
	int error = 0;

	for (i = 0; i < config->identity.env_files.count && !error; i++)
		error = environment_read_file(environment, config->identity.env_files.items[i],
					      &user, slot, config->name, ret_error);
	for (i = 0; i < config->identity.env.count && !error; i++)
		error = environment_assign(environment, config->identity.env.items[i], slot,
					   config->name);
	return error;
}

/*
 * Set the variables of sd_listen_fds(3). The sockets are named listen0, listen1, ...; the socket of
 * the slot's own address is named slot.
 */
static int set_activation(struct environment *environment, uint32_t count, bool has_private)
{
	char names[SPAWN_SOCKETS_MAX * 16] = "";
	char blank[SPAWN_PID_DIGITS + 1];
	size_t length = 0;
	uint32_t i;
	int error;

	for (i = 0; i < count; i++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, "%slisten%u",
					   i ? ":" : "", i);
	if (has_private)
		snprintf(names + length, sizeof(names) - length, "%sslot", count ? ":" : "");
	memset(blank, ' ', SPAWN_PID_DIGITS);
	blank[SPAWN_PID_DIGITS] = '\0';
	error = set_number(environment, "LISTEN_FDS", count + has_private);
	if (!error)
		error = environment_set(environment, "LISTEN_FDNAMES", names);
	if (!error)
		error = environment_set(environment, "LISTEN_PID", blank);
	return error;
}

/*
 * Set the variables of sd_watchdog_enabled(3), but not WATCHDOG_PID, as a message from any process
 * of the worker's group counts.
 */
static int set_watchdog(struct environment *environment, const struct config *config)
{
	if (!config->timing.watchdog_ms)
		return 0;
	return set_number(environment, "WATCHDOG_USEC", config->timing.watchdog_ms * 1000ull);
}

/*
 * Write a word for NODE_OPTIONS, to be put between quotation marks. A backslash goes in front of
 * '"' and '\', as Node.js removes it.
 */
static void quote(const char *path, char *ret_quoted)
{
	for (; *path; path++) {
		if (*path == '"' || *path == '\\')
			*ret_quoted++ = '\\';
		*ret_quoted++ = *path;
	}
	*ret_quoted = '\0';
}

/*
 * Does the command or NODE_OPTIONS switch on Node.js's permission model? A worker that can't read
 * the script under this model would not start.
 */
static bool may_read_no_file(const struct environment *environment, char *const *command)
{
	static const char *const options[] = {"--permission", "--experimental-permission"};
	const char *others = environment_get(environment, "NODE_OPTIONS");
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		char *const *word = command;

		while (*word && strcmp(*word, options[i]))
			word++;
		if (*word || (others && strstr(others, options[i])))
			return true;
	}
	return false;
}

static int set_preload(struct environment *environment, const char *path)
{
	const char *previous = environment_get(environment, "NODE_OPTIONS");
	char *quoted = malloc(2 * strlen(path) + 1);
	char *options;
	int error;

	if (!quoted)
		return -ENOMEM;
	quote(path, quoted);
	error = asprintf(&options, "%s%s--require=\"%s\"", previous ? previous : "",
			 previous ? " " : "", quoted) < 0
			? -ENOMEM
			: 0;
	free(quoted);
	if (error)
		return error;
	error = environment_set(environment, "NODE_OPTIONS", options);
	free(options);
	return error;
}

/*
 * Set the variables that child_process.fork() and cluster.fork() of Node.js set, and the numbers
 * that workers of recluster and sticky-cluster read.
 */
static int set_node(struct environment *environment, const struct worker_environment *spec)
{
	static const char *const numbers[] = {"WORKER_ID", "NODE_WORKER_ID",
					      "stickycluster_worker_index"};
	static const char *const modes[NODE_SERIALIZATION_COUNT] = {
		[NODE_SERIALIZATION_JSON] = "json",
		[NODE_SERIALIZATION_ADVANCED] = "advanced",
	};
	/* cluster.worker.id: the first workers have 1 to N, as by cluster.fork(). */
	uint64_t unique = (spec->generation - 1) * STICKY_SLOTS_LIMIT + spec->slot + 1;
	size_t i;
	int error = set_number(environment, "NODE_CHANNEL_FD", SPAWN_FIRST_SOCKET);

	if (!error)
		error = environment_set(environment, "NODE_CHANNEL_SERIALIZATION_MODE",
					modes[spec->serialization]);
	if (!error)
		error = set_number(environment, "NODE_UNIQUE_ID", unique);
	/*
	 * pm2 sets this variable, and the package `config` reads it. A user may want another value.
	 */
	if (!error && !environment_get(environment, "NODE_APP_INSTANCE"))
		error = set_number(environment, "NODE_APP_INSTANCE", spec->slot);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && !error; i++)
		error = set_number(environment, numbers[i], spec->slot);
	for (i = 0; i < PRELOAD_COUNT && !error; i++)
		if (spec->preloads[i] && !may_read_no_file(environment, spec->config->command))
			error = set_preload(environment, spec->preloads[i]);
	return error;
}

int worker_environment(const struct worker_environment *spec, struct environment *environment,
		       struct error_text *ret_error)
{
	size_t i;
	int error = environment_init(environment, environ);

	if (error)
		return error;
	for (i = 0; i < sizeof(not_inherited) / sizeof(not_inherited[0]); i++)
		environment_unset(environment, not_inherited[i]);
	error = set_identity(environment, spec->identity);
	if (!error)
		error = environment_set(environment, "PWD", spec->directory);
	if (!error)
		error = set_assignments(environment, spec, ret_error);
	if (!error && spec->port && !environment_get(environment, "PORT"))
		error = set_number(environment, "PORT", spec->port);
	if (!error)
		error = environment_set(environment, "STICKY_NAME", spec->config->name);
	if (!error)
		error = set_number(environment, "STICKY_SLOT", spec->slot);
	if (!error)
		error = set_number(environment, "STICKY_GENERATION", spec->generation);
	if (!error)
		error = environment_set(environment, "NOTIFY_SOCKET", spec->notify_path);
	if (!error)
		error = set_watchdog(environment, spec->config);
	if (!error && spec->is_node)
		return set_node(environment, spec);
	if (!error && spec->takes_sockets)
		error = set_activation(environment, spec->socket_count, spec->has_private);
	if (!error && spec->has_channel)
		error = set_number(environment, CHANNEL_VARIABLE,
				   SPAWN_FIRST_SOCKET + spec->socket_count + spec->has_private +
					   SPAWN_KEPT);
	return error;
}
