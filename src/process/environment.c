// SPDX-License-Identifier: MIT
#include "process/environment.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/regular_file.h"
#include "rights/trusted_path.h"
#include "common/units.h"
#include "process/env_file.h"

static int add(struct environment *environment, char *item)
{
	if (!item)
		return -ENOMEM;
	if (environment->count + 1 >= environment->room) {
		size_t room = environment->room ? 2 * environment->room : 64;
		char **items = realloc(environment->items, room * sizeof(*items));

		if (!items) {
			free(item);
			return -ENOMEM;
		}
		environment->items = items;
		environment->room = room;
	}
	environment->items[environment->count++] = item;
	environment->items[environment->count] = NULL;
	return 0;
}

int environment_init(struct environment *environment, char *const *from)
{
	int error;

	*environment = (struct environment){.items = calloc(64, sizeof(char *)), .room = 64};
	error = environment->items ? 0 : -ENOMEM;
	for (; *from && !error; from++)
		error = add(environment, strdup(*from));
	if (error)
		environment_fini(environment);
	return error;
}

void environment_fini(struct environment *environment)
{
	size_t i;

	for (i = 0; i < environment->count; i++)
		free(environment->items[i]);
	free(environment->items);
	*environment = (struct environment){0};
}

/* Returns the index of a variable, or `count`. */
static size_t find(const struct environment *environment, const char *name, size_t length)
{
	size_t i;

	for (i = 0; i < environment->count; i++)
		if (!strncmp(environment->items[i], name, length) &&
		    environment->items[i][length] == '=')
			break;
	return i;
}

const char *environment_get(const struct environment *environment, const char *name)
{
	size_t length = strlen(name), i = find(environment, name, length);

	return i < environment->count ? environment->items[i] + length + 1 : NULL;
}

void environment_unset(struct environment *environment, const char *name)
{
	size_t length = strlen(name), i;

	/* An inherited environment may have a variable twice. */
	while ((i = find(environment, name, length)) < environment->count) {
		free(environment->items[i]);
		environment->items[i] = environment->items[--environment->count];
		environment->items[environment->count] = NULL;
	}
}

int environment_set(struct environment *environment, const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + 2;
	char *item = malloc(size);

	if (!item)
		return -ENOMEM;
	snprintf(item, size, "%s=%s", name, value);
	environment_unset(environment, name);
	return add(environment, item);
}

/* Copy a text, with {slot} and {name} replaced. */
static void expand(FILE *to, const char *text, unsigned int slot, const char *name)
{
	while (*text) {
		if (!strncmp(text, "{slot}", 6)) {
			fprintf(to, "%u", slot);
			text += 6;
		} else if (!strncmp(text, "{name}", 6)) {
			fputs(name, to);
			text += 6;
		} else {
			fputc(*text++, to);
		}
	}
}

int environment_assign(struct environment *environment, const char *assignment, unsigned int slot,
		       const char *name)
{
	const char *equals = strchr(assignment, '=');
	char *variable, *value = NULL;
	size_t size;
	FILE *to;
	int error = -ENOMEM;

	variable = strndup(assignment, (size_t)(equals - assignment));
	to = open_memstream(&value, &size);
	if (to) {
		expand(to, equals + 1, slot, name);
		if (fclose(to) == 0 && variable)
			error = environment_set(environment, variable, value);
	}
	free(value);
	free(variable);
	return error;
}

/*
 * Open an env file. If the workers' user could let the path lead to any file, the file is opened
 * with that user's rights.
 */
static int open_with_rights(const char *path, const struct user_rights *user, FILE **ret_file)
{
	struct user_rights_region region;
	int error;

	error = user_rights_begin(user && user->change && !trusted_path(path) ? user : NULL,
				  &region);
	if (error)
		return error;
	error = regular_file_open(path, ENVIRONMENT_FILE_MAX, ret_file);
	user_rights_end(&region);
	return error == -EINVAL ? -ENOTSUP : error;
}

struct assigning {
	struct environment *environment;
	unsigned int slot;
	const char *name;
};

static int assign(void *context, const char *name, const char *value)
{
	const struct assigning *assigning = context;
	char *assignment;
	int error;

	if (asprintf(&assignment, "%s=%s", name, value) < 0)
		return -ENOMEM;
	error = environment_assign(assigning->environment, assignment, assigning->slot,
				   assigning->name);
	free(assignment);
	return error;
}

static const char *explain(int error)
{
	switch (error) {
	case -ENOTSUP:
		return "it is no regular file";
	case -EFBIG:
		return "it is larger than 1 MiB";
	default:
		return strerror(-error);
	}
}

/* Read a whole file. Returns 0, or -errno. The caller frees the text. */
static int read_text(FILE *file, char **ret_text, size_t *ret_length)
{
	char *text = malloc(ENVIRONMENT_FILE_MAX + 1);

	if (!text)
		return -ENOMEM;
	*ret_length = fread(text, 1, ENVIRONMENT_FILE_MAX, file);
	if (ferror(file)) {
		free(text);
		return -EIO;
	}
	text[*ret_length] = '\0';
	*ret_text = text;
	return 0;
}

static int parse(FILE *file, const char *path, struct assigning *assigning,
		 struct error_text *ret_error)
{
	struct env_file_problem problem;
	size_t length;
	char *text;
	int error = read_text(file, &text, &length);

	if (error)
		return error;
	error = env_file_parse(text, length, assign, assigning, &problem);
	free(text);
	if (error != -EINVAL)
		return error;
	error_text_set(ret_error, "%s:%u: %s", path, problem.line, problem.what);
	return -EBADMSG;
}

int environment_read_file(struct environment *environment, const char *path,
			  const struct user_rights *user, unsigned int slot, const char *name,
			  struct error_text *ret_error)
{
	struct assigning assigning = {environment, slot, name};
	FILE *file;
	int error = open_with_rights(path, user, &file);

	if (!error) {
		error = parse(file, path, &assigning, ret_error);
		fclose(file);
	}
	if (error && error != -EBADMSG)
		error_text_set(ret_error, "%s: %s", path, explain(error));
	return error;
}
