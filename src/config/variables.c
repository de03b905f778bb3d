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
#include "config/problems.h"
#include "config/setting.h"

#define VARIABLE_PREFIX "STICKYCTL_"

static int set_one(struct config *config, const struct config_option *option, const char *value,
		   const char *origin, struct problems *problems)
{
	struct error_text text;
	int error = setting_apply(config, option, value, origin, &text);

	if (error)
		problems_add(problems, "%s", text.text);
	return error;
}

/*
 * Set an option from its variable. The variable of an option that can be given more than once holds
 * several values; that of another option holds one.
 */
static int set_from_variable(struct config *config, const struct config_option *option,
			     const char *value, const char *origin, struct problems *problems)
{
	const char *separators = option->kind == KIND_ADDRESSES || option->kind == KIND_RANGES
					 ? " \t\n"
				 : option->kind == KIND_ASSIGNMENTS ? "\n"
								    : NULL;
	char *copy, *word, *rest;
	int error = 0, result;

	if (!separators)
		return set_one(config, option, value, origin, problems);
	copy = strdup(value);
	if (!copy) {
		problems_add(problems, "%s: out of memory", origin);
		return -ENOMEM;
	}
	for (word = strtok_r(copy, separators, &rest); word;
	     word = strtok_r(NULL, separators, &rest)) {
		result = set_one(config, option, word, origin, problems);
		error = error ? error : result;
	}
	free(copy);
	return error;
}

static void complain_of_variable(const char *name, size_t length, const char *origin,
				 struct problems *problems)
{
	const struct config_option *nearest = option_nearest(name, length);

	if (nearest)
		problems_add(problems, "%s: no such option; did you mean that of --%s?", origin,
			     nearest->doc.name);
	else
		problems_add(problems, "%s: no such option; see stickyctl start --help", origin);
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

/* Set the option of "STICKYCTL_NAME=VALUE". Returns 0, -EINVAL or -ENOMEM. */
static int set_variable(struct config *config, const char *variable, const char *equals,
			struct problems *problems)
{
	const char *name = variable + strlen(VARIABLE_PREFIX);
	size_t length = (size_t)(equals - name);
	const struct config_option *option = option_by_spelling(name, length, toupper);
	char origin[128];

	snprintf(origin, sizeof(origin), "environment %.*s", (int)(equals - variable), variable);
	if (option)
		return set_from_variable(config, option, equals + 1, origin, problems);
	complain_of_variable(name, length, origin, problems);
	return -EINVAL;
}

int config_set_from_environment(struct config *config, char *const *environment,
				struct problems *problems)
{
	int error = 0, result;

	for (; *environment; environment++) {
		const char *equals = strchr(*environment, '=');

		if (strncmp(*environment, VARIABLE_PREFIX, strlen(VARIABLE_PREFIX)) || !equals)
			continue;
		result = set_variable(config, *environment, equals, problems);
		error = error ? error : result;
	}
	return error;
}
