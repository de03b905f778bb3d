// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdlib.h>

#include "textid.h"

void config_init(struct config *config)
{
	*config = (struct config){
		.backlog = 4096,
		.v4_prefix = 32,
		.v6_prefix = 64,
		.min_uptime_ms = 1000,
		.ready_timeout_ms = 30000,
		.hard_shutdown_delay_ms = 60000,
		.max_retries = 20,
		.retry_delay_ms = 150,
		.reload_parallel = 1,
	};
}

void config_fini(struct config *config)
{
	string_list_fini(&config->listen);
	string_list_fini(&config->env);
	string_list_fini(&config->env_files);
	string_list_fini(&config->file_command);
	free(config->name);
	free(config->file);
	free(config->run_dir);
	free(config->state_dir);
	free(config->chdir);
	free(config->user);
	config_init(config);
}

void config_begin_source(struct config *config)
{
	config->listen.overridable = true;
}

uint64_t config_id(const struct config *config, const char *directory)
{
	uint64_t id = TEXTID_BEGIN;
	char **word;

	for (word = config->command; word && *word; word++)
		id = textid_add(id, *word);
	id = textid_add(id, directory);
	id = textid_add(id, config->user);
	id = textid_add_list(id, &config->env);
	return textid_add_list(id, &config->env_files);
}
