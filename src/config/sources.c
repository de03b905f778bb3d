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
	problems_fini(&sources->mistakes);
	*sources = (struct config_sources){0};
}

static int set_given(const struct config_sources *sources, struct config *config,
		     struct problems *problems)
{
	struct error_text text;
	char origin[64];
	size_t i;
	int error = 0, result;

	for (i = 0; i < sources->given_count; i++) {
		const struct given_option *given = &sources->given[i];

		snprintf(origin, sizeof(origin), "--%s", option_by_key(given->key)->doc.name);
		result = config_set(config, given->key, given->value, origin, &text);
		if (result)
			problems_add(problems, "%s", text.text);
		error = error ? error : result;
	}
	return error;
}

static int set_above_file(const struct config_sources *sources, struct config *config,
			  struct problems *problems)
{
	int environment, given;

	config_begin_source(config);
	environment = config_set_from_environment(config, sources->environment, problems);
	config_begin_source(config);
	given = set_given(sources, config, problems);
	return environment ? environment : given;
}

/*
 * Find the configuration file. Its name can only come from the environment and the command line, so
 * these are read first; their mistakes are found again later. ret_path is "" if there is no file.
 */
static int find_file(const struct config_sources *sources, char ret_path[PATH_MAX],
		     struct problems *problems)
{
	struct problems ignored = {0};
	struct config config;
	int length = 0;

	ret_path[0] = '\0';
	config_init(&config);
	set_above_file(sources, &config, &ignored);
	problems_fini(&ignored);
	if (config.file) {
		length = snprintf(ret_path, PATH_MAX, "%s", config.file);
	} else if (config.name) {
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
		return 0;
	ret_path[0] = '\0';
	problems_add(problems, "--config: the name is too long");
	return -EINVAL;
}

/*
 * Read the file. An -EINVAL is replaced by -EBADMSG: to the caller -EINVAL means a mistake in
 * another source.
 */
static int read_file_of(struct config *config, const char *path, struct file_report *report)
{
	int error;

	config->file = strdup(path);
	error = config->file ? config_set_from_file(config, path, report) : -ENOMEM;
	return error == -EINVAL ? -EBADMSG : error;
}

static int complete(const struct config_sources *sources, struct config *config)
{
	config->arguments = sources->arguments;
	config->command = sources->command ? sources->command : config->file_command.items;
	if (!config->name)
		config->name = strdup("default");
	return config->name ? 0 : -ENOMEM;
}

static int add_words(const struct config_sources *sources, struct problems *problems)
{
	size_t i;

	for (i = 0; i < sources->mistakes.texts.count; i++)
		problems_add(problems, "%s", sources->mistakes.texts.items[i]);
	problems->more += sources->mistakes.more;
	return problems_count(&sources->mistakes) ? -EINVAL : 0;
}

/* All sources are read even after a mistake, so that the user sees all mistakes at once. */
int sources_read(const struct config_sources *sources, struct config *ret_config,
		 struct file_report *report)
{
	struct problems *problems = &report->problems;
	char path[PATH_MAX];
	int errors[5] = {0}, found = 0;
	size_t i;

	config_init(ret_config);
	errors[1] = find_file(sources, path, problems);
	if (path[0])
		errors[0] = read_file_of(ret_config, path, report);
	errors[2] = add_words(sources, problems);
	errors[3] = set_above_file(sources, ret_config, problems);
	errors[4] = complete(sources, ret_config);
	if (errors[4])
		problems_add(problems, "%s", strerror(-errors[4]));
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]) && !found; i++)
		found = errors[i];
	return found;
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
