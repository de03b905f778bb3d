// SPDX-License-Identifier: MIT
#include "config/sources.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error_text.h"
#include "config/file_report.h"
#include "config/options.h"

int sources_add(struct config_sources *sources, int key, const char *value)
{
	struct given_option *given =
		realloc(sources->given, (sources->given_count + 1) * sizeof(*given));

	if (!given)
		return -ENOMEM;
	sources->given = given;
	given[sources->given_count++] = (struct given_option){.key = key, .value = value};
	return 0;
}

void sources_fini(struct config_sources *sources)
{
	free(sources->given);
	*sources = (struct config_sources){0};
}

static int set_given(const struct config_sources *sources, struct config *config,
		     struct error_text *ret_error)
{
	char origin[64];
	size_t i;
	int error = 0;

	for (i = 0; i < sources->given_count && !error; i++) {
		const struct given_option *given = &sources->given[i];

		snprintf(origin, sizeof(origin), "--%s", option_by_key(given->key)->doc.name);
		error = config_set(config, given->key, given->value, origin, ret_error);
	}
	return error;
}

static int set_above_file(const struct config_sources *sources, struct config *config,
			  struct error_text *ret_error)
{
	int error;

	config_begin_source(config);
	error = config_set_from_environment(config, sources->environment, ret_error);
	if (error)
		return error;
	config_begin_source(config);
	return set_given(sources, config, ret_error);
}

/*
 * Find the configuration file. Its name can only come from the environment and the command line, so
 * these are read first. ret_path is "" if there is no file.
 */
static int find_file(const struct config_sources *sources, char ret_path[PATH_MAX],
		     struct error_text *ret_error)
{
	struct config config;
	int error, length = 0;

	ret_path[0] = '\0';
	config_init(&config);
	error = set_above_file(sources, &config, ret_error);
	if (!error && config.file) {
		length = snprintf(ret_path, PATH_MAX, "%s", config.file);
	} else if (!error && config.name) {
		length = snprintf(ret_path, PATH_MAX, "%s/%s.yaml", SOURCES_DIRECTORY, config.name);
		/*
		 * A file that exists but can't be read is not skipped here, so that an error is
		 * reported later.
		 */
		if (access(ret_path, F_OK) && (errno == ENOENT || errno == ENOTDIR))
			ret_path[0] = '\0';
	}
	config_fini(&config);
	if (length < PATH_MAX)
		return error;
	error_text_set(ret_error, "--config: the name is too long");
	return -EINVAL;
}

static int read_file_of(struct config *config, const char *path, struct file_report *report)
{
	config->file = strdup(path);
	return config->file ? config_set_from_file(config, path, report) : -ENOMEM;
}

static int complete(const struct config_sources *sources, struct config *config)
{
	config->arguments = sources->arguments;
	config->command = sources->command ? sources->command : config->file_command.items;
	if (!config->name)
		config->name = strdup("default");
	return config->name ? 0 : -ENOMEM;
}

/*
 * After a mistake in the file the other sources are read nevertheless: who looks for all mistakes
 * wants to know what the rest would mean.
 */
int sources_read(const struct config_sources *sources, struct config *ret_config,
		 struct file_report *report)
{
	struct error_text text;
	char path[PATH_MAX];
	int error, file_error = 0;

	config_init(ret_config);
	error = find_file(sources, path, &text);
	if (!error && path[0])
		file_error = read_file_of(ret_config, path, report);
	if (!error)
		error = set_above_file(sources, ret_config, &text);
	if (!error && (error = complete(sources, ret_config)))
		error_text_set(&text, "%s", strerror(-error));
	if (error)
		problems_add(&report->problems, "%s", text.text);
	return file_error ? file_error : error;
}

int sources_load(const struct config_sources *sources, struct config *ret_config,
		 struct error_text *ret_error)
{
	struct file_report report = {0};
	int error = sources_read(sources, ret_config, &report);

	problems_sum_up(&report.problems, ret_config->file, ret_error);
	problems_fini(&report.problems);
	return error;
}
