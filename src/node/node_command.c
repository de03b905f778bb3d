// SPDX-License-Identifier: MIT
#include "node/node_command.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BEGINNING_SIZE 4096 /* bytes of a file that are read */

static bool is_name_of_node(const char *name, size_t length)
{
	return (length == 4 && !memcmp(name, "node", 4)) ||
	       (length == 6 && !memcmp(name, "nodejs", 6));
}

/* Is the last part of this path "node" or "nodejs"? */
static bool is_node(const char *path, size_t length)
{
	const char *slash = memrchr(path, '/', length);
	size_t skipped = slash ? (size_t)(slash - path) + 1 : 0;

	return is_name_of_node(path + skipped, length - skipped);
}

bool node_command_is_named_node(const char *path)
{
	return is_node(path, strlen(path));
}

static bool is_env(const char *path, size_t length)
{
	return (length == 3 || (length > 3 && path[length - 4] == '/')) &&
	       !memcmp(path + length - 3, "env", 3);
}

/* ---- The words of a command ---------------------------------------------------------------- */

char *const *node_command_program(char *const *command)
{
	char *const *word = command + 1;

	if (!is_env(command[0], strlen(command[0])))
		return command;
	while (*word && (strchr(*word, '=') || !strcmp(*word, "-u"))) {
		if ((*word)[0] == '-' && strcmp(*word, "-u"))
			return command;
		if (!strcmp(*word, "-u") && !*++word)
			return command;
		word++;
	}
	if (*word && !strcmp(*word, "--"))
		word++;
	return *word && (*word)[0] != '-' ? word : command;
}

/* ---- The beginning of a file --------------------------------------------------------------- */

/* Take the next word of a line. Returns its length; 0: there is none. */
static size_t next_word(const char **at, const char *end, const char **ret_word)
{
	while (*at < end && (**at == ' ' || **at == '\t'))
		(*at)++;
	*ret_word = *at;
	while (*at < end && **at != ' ' && **at != '\t' && **at != '\r')
		(*at)++;
	return (size_t)(*at - *ret_word);
}

/* Is the program behind "env" node? Options and assignments come before it. */
static bool is_node_behind_env(const char *at, const char *end)
{
	static const char split[] = "--split-string=";
	const char *word;
	size_t length;

	while ((length = next_word(&at, end, &word))) {
		if (length > strlen(split) && !memcmp(word, split, strlen(split)))
			return is_node(word + strlen(split), length - strlen(split));
		if (word[0] == '-' && length > 2 && word[1] == 'S')
			return is_node(word + 2, length - 2);
		if (word[0] != '-' && !memchr(word, '=', length))
			return is_node(word, length);
	}
	return false;
}

/* Is this the shell script that pnpm writes into node_modules/.bin? */
static bool is_shim(const char *text, size_t length)
{
	static const char line[] = "exec node ";

	return memmem(text, length, "basedir=", strlen("basedir=")) &&
	       memmem(text, length, line, strlen(line));
}

bool node_command_is_script(const char *text, size_t length)
{
	const char *end, *at, *word;
	size_t word_length;

	if (length < 2 || text[0] != '#' || text[1] != '!')
		return false;
	end = memchr(text, '\n', length);
	end = end ? end : text + length;
	at = text + 2;
	word_length = next_word(&at, end, &word);
	if (is_node(word, word_length))
		return true;
	if (word_length >= 3 && is_env(word, word_length))
		return is_node_behind_env(at, end);
	return is_shim(text, length);
}

/* ---- The file itself ----------------------------------------------------------------------- */

/*
 * Read the beginning of a regular file. Returns its length. Opening must not block, as for a FIFO.
 */
static size_t read_beginning(const char *path, char text[BEGINNING_SIZE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat info;
	ssize_t length = 0;

	if (fd < 0)
		return 0;
	if (!fstat(fd, &info) && S_ISREG(info.st_mode))
		length = read(fd, text, BEGINNING_SIZE);
	close(fd);
	return length > 0 ? (size_t)length : 0;
}

static bool is_file_of_node(const char *path)
{
	char text[BEGINNING_SIZE] = "", real[PATH_MAX];
	size_t length;

	if (realpath(path, real) && is_node(real, strlen(real)))
		return true;
	length = read_beginning(path, text);
	return node_command_is_script(text, length);
}

bool node_command_find(const char *name, const char *directory, const char *path,
		       char ret_file[PATH_MAX])
{
	if (strchr(name, '/'))
		return snprintf(ret_file, PATH_MAX, "%s%s%s", name[0] == '/' ? "" : directory,
				name[0] == '/' ? "" : "/", name) < PATH_MAX;
	while (path) {
		const char *end = strchrnul(path, ':');

		if (snprintf(ret_file, PATH_MAX, "%.*s/%s", (int)(end - path), path, name) <
			    PATH_MAX &&
		    access(ret_file, X_OK) == 0)
			return true;
		path = *end ? end + 1 : NULL;
	}
	return false;
}

bool node_command_is_node(char *const *command, const char *directory, const char *path)
{
	const char *name = node_command_program(command)[0];
	char file[PATH_MAX];

	if (is_node(name, strlen(name)))
		return true;
	return node_command_find(name, directory, path, file) && is_file_of_node(file);
}

bool node_command_is_program(const char *name, const char *directory, const char *path)
{
	char file[PATH_MAX], text[BEGINNING_SIZE];
	size_t length;

	if (!node_command_find(name, directory, path, file) || access(file, X_OK))
		return false;
	length = read_beginning(file, text);
	return length >= 2 && (!memcmp(text, "#!", 2) || !memcmp(text, "\177E", 2));
}
