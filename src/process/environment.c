// SPDX-License-Identifier: MIT
#include "process/environment.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/units.h"

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

/* Remove the quotes at both ends of a value, in place. */
static void unquote(char *value)
{
	size_t length = strlen(value);

	if (length < 2 || (value[0] != '"' && value[0] != '\'') || value[length - 1] != value[0])
		return;
	memmove(value, value + 1, length - 2);
	value[length - 2] = '\0';
}

static int read_line(struct environment *environment, char *line, unsigned int slot,
		     const char *name)
{
	line += strspn(line, " \t");
	line[strcspn(line, "\r\n")] = '\0';
	if (!*line || *line == '#')
		return 0;
	if (!is_assignment(line))
		return -EINVAL;
	unquote(strchr(line, '=') + 1);
	return environment_assign(environment, line, slot, name);
}

int environment_read_file(struct environment *environment, const char *path, unsigned int slot,
			  const char *name)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int error = 0;

	if (!file)
		return -errno;
	while (!error && getline(&line, &size, file) >= 0)
		error = read_line(environment, line, slot, name);
	if (!error && ferror(file))
		error = -EIO;
	free(line);
	fclose(file);
	return error;
}
