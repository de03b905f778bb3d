// SPDX-License-Identifier: MIT
/*
 * Options from the environment. The variable of --min-uptime, for example, is STICKYCTL_MIN_UPTIME.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error_text.h"
#include "config/setting.h"

#define VARIABLE_PREFIX "STICKYCTL_"

/*
 * Set an option from its variable. The variable of an option that can be given more than once holds
 * several values; that of another option holds one.
 */
static int set_from_variable(struct config *config, const struct config_option *option,
			     const char *value, const char *origin, struct error_text *ret_error)
{
	const char *separators = option->kind == KIND_ADDRESSES || option->kind == KIND_RANGES
					 ? " \t\n"
				 : option->kind == KIND_ASSIGNMENTS ? "\n"
								    : NULL;
	char *copy, *word, *rest;
	int error = 0;

	if (!separators)
		return setting_apply(config, option, value, origin, ret_error);
	copy = strdup(value);
	if (!copy) {
		error_text_set(ret_error, "%s: out of memory", origin);
		return -ENOMEM;
	}
	for (word = strtok_r(copy, separators, &rest); word && !error;
	     word = strtok_r(NULL, separators, &rest))
		error = setting_apply(config, option, word, origin, ret_error);
	free(copy);
	return error;
}

static void complain_of_variable(const char *name, size_t length, const char *origin,
				 struct error_text *ret_error)
{
	const struct config_option *nearest = option_nearest(name, length);

	if (nearest)
		error_text_set(ret_error, "%s: no such option; did you mean that of --%s?", origin,
			       nearest->doc.name);
	else
		error_text_set(ret_error, "%s: no such option; see stickyctl start --help", origin);
}

const char *config_variable(char *const *environment, const struct config_option *option)
{
	size_t prefix = strlen(VARIABLE_PREFIX);

	for (; *environment; environment++) {
		const char *name = *environment + prefix;

		if (!strncmp(*environment, VARIABLE_PREFIX, prefix) && strchr(name, '=') &&
		    option_by_spelling(name, strcspn(name, "="), toupper) == option)
			return *environment;
	}
	return NULL;
}

int config_set_from_environment(struct config *config, char *const *environment,
				struct error_text *ret_error)
{
	size_t prefix = strlen(VARIABLE_PREFIX);
	char origin[128];
	int error;

	for (; *environment; environment++) {
		const char *equals = strchr(*environment, '=');
		const struct config_option *option;
		size_t length;

		if (strncmp(*environment, VARIABLE_PREFIX, prefix) || !equals)
			continue;
		length = (size_t)(equals - *environment) - prefix;
		snprintf(origin, sizeof(origin), "environment %.*s", (int)(equals - *environment),
			 *environment);
		option = option_by_spelling(*environment + prefix, length, toupper);
		if (!option) {
			complain_of_variable(*environment + prefix, length, origin, ret_error);
			return -EINVAL;
		}
		error = set_from_variable(config, option, equals + 1, origin, ret_error);
		if (error)
			return error;
	}
	return 0;
}
