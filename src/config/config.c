// SPDX-License-Identifier: MIT
#include "config/config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "config/known_servers.h"
#include "config/options.h"
#include "sticky.h"
#include "common/fnv1a.h"

void config_init(struct config *config)
{
	*config = (struct config){
		.backlog = 4096,
		.v4_prefix = 32,
		.v6_prefix = 64,
		.log_level = STICKY_LOG_INFO,
		.timing = {.min_uptime_ms = 1000,
			   .ready_timeout_ms = 30000,
			   .hard_shutdown_delay_ms = 60000,
			   .term_after_ms = TERM_AFTER_DEFAULT,
			   .hang_timeout_ms = 10000},
		.waiting = {.max_retries = 20, .retry_delay_ms = 150, .max_held = 65536},
		.proxy = {.head_timeout_ms = 10000},
		.reload = {.parallel = 1, .max_draining = 8, .handshake_grace_ms = 1500},
	};
}

void config_fini(struct config *config)
{
	const struct config_option *option;
	size_t i;

	for (i = 0; (option = option_at(i)); i++) {
		void *member = (char *)config + option->offset;

		if (option_is_list(option))
			string_list_fini(member);
		else if (option_is_text(option))
			free(*(char **)member);
	}
	string_list_fini(&config->file_command);
	config_init(config);
}

void config_begin_source(struct config *config)
{
	const struct config_option *option;
	size_t i;

	for (i = 0; (option = option_at(i)); i++)
		if (option->kind == KIND_ADDRESSES || option->kind == KIND_RANGES)
			((struct string_list *)((char *)config + option->offset))->overridable =
				true;
}

static const char *const worker_modes[WORKER_MODE_COUNT] = {
	[WORKER_AUTO] = "auto",
	[WORKER_ACTIVATION] = "activation",
	[WORKER_BIND] = "bind",
	[WORKER_NODE] = "node",
	[WORKER_STICKY_LISTEN] = "node:sticky-listen",
	[WORKER_STICKY_CLUSTER] = "node:sticky-cluster",
};

#define PREFIX_WORD ",prefix="

enum worker_mode worker_mode_parse(const char *text)
{
	size_t length = strcspn(text, ",");
	int mode;

	for (mode = 0; mode < WORKER_MODE_COUNT; mode++)
		if (strlen(worker_modes[mode]) == length &&
		    !memcmp(worker_modes[mode], text, length))
			break;
	if (text[length] && (mode != WORKER_STICKY_CLUSTER ||
			     strncmp(text + length, PREFIX_WORD, strlen(PREFIX_WORD))))
		return WORKER_MODE_COUNT;
	return (enum worker_mode)mode;
}

static bool is_one_of(const char *command, const char *const *names)
{
	const char *slash = strrchr(command, '/');
	const char *name = slash ? slash + 1 : command;

	while (*names && strcmp(name, *names))
		names++;
	return *names != NULL;
}

static enum worker_mode given_mode(const struct config *config)
{
	return config->worker ? worker_mode_parse(config->worker) : WORKER_AUTO;
}

enum worker_mode config_worker_mode(const struct config *config)
{
	static const char *const node[] = {"node", "nodejs", NULL};
	enum worker_mode mode = given_mode(config);

	if (mode != WORKER_AUTO || !config->command)
		return mode;
	if (config->runs_node || is_one_of(config->command[0], node))
		return WORKER_NODE;
	return config->listen.count || config_bind_conflict(config) ? WORKER_ACTIVATION
								    : WORKER_BIND;
}

bool config_helps_with_bind(const struct config *config)
{
	static const char *const takers[] = {"gunicorn", "uvicorn", "hypercorn", "puma",
					     "nginx",	 "haproxy", NULL};

	return config->command && given_mode(config) == WORKER_AUTO &&
	       config_worker_mode(config) == WORKER_ACTIVATION && !config_bind_conflict(config) &&
	       !is_one_of(config->command[0], takers);
}

const char *config_bind_conflict(const struct config *config)
{
	if (config->proxy.behind != BEHIND_NO_PROXY)
		return "--behind-proxy passes accepted connections to workers, and a server that "
		       "binds its address itself takes none";
	if (config->steering == STEERING_USER)
		return "--steering=user passes accepted connections to workers, and a server that "
		       "binds its address itself takes none";
	if (config->slot_listen)
		return "--slot-listen gives each worker one socket more, by LISTEN_FDS alone";
	if (config->ready == READY_MESSAGE)
		return "--ready=message is for Node.js";
	return NULL;
}

const char *config_worker_prefix(const struct config *config)
{
	const char *prefix = config->worker ? strstr(config->worker, PREFIX_WORD) : NULL;

	return prefix ? prefix + strlen(PREFIX_WORD) : "sticky-cluster:";
}

bool config_is_node(const struct config *config)
{
	return config->command && config_worker_mode(config) >= WORKER_NODE;
}

static bool has_permission_model(char *const *command)
{
	for (; command && *command; command++)
		if (!strcmp(*command, "--permission") ||
		    !strcmp(*command, "--experimental-permission"))
			return true;
	return false;
}

bool config_preloads(const struct config *config)
{
	return config_is_node(config) && config->node_preload != NODE_PRELOAD_NO &&
	       !has_permission_model(config->command);
}

bool config_closes_keepalive(const struct config *config)
{
	return config->proxy.behind != BEHIND_NO_PROXY &&
	       config_worker_mode(config) == WORKER_NODE && config_preloads(config) &&
	       config->proxy.keepalive != PROXY_KEEPALIVE_WARN;
}

int config_stop_signal(const struct config *config)
{
	/*
	 * The signals are in the order of the choices of --stop-signal. The first choice is `auto`.
	 */
	static const int signals[] = {0,      SIGTERM, SIGINT,	SIGQUIT,
				      SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH};
	const struct known_server *server = config_known_server(config);

	if (config->stop_signal)
		return signals[config->stop_signal];
	return server ? server->stop_signal : SIGTERM;
}

const struct known_server *config_known_server(const struct config *config)
{
	return config->stop_signal ? NULL : known_server_find(config->command);
}

uint64_t config_id(const struct config *config, const char *directory)
{
	uint64_t id = TEXTID_BEGIN;
	char **word;

	for (word = config->command; word && *word; word++)
		id = fnv1a_add(id, *word);
	id = fnv1a_add(id, directory);
	id = fnv1a_add(id, config->identity.user);
	id = fnv1a_add_list(id, &config->identity.env);
	return fnv1a_add_list(id, &config->identity.env_files);
}
