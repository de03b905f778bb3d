// SPDX-License-Identifier: MIT
#include "check/check_files.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/ranges.h"
#include "process/environment.h"
#include "process/identity.h"
#include "process/path_search.h"
#include "state/seed.h"

/* The configuration to check, and the lists for the problems that are found. */
struct look {
	const struct config *config;
	const struct origins *origins;
	struct problems *mistakes;
	struct problems *notes; /* NULL: only what is certain, and in the file, is told */
};

static void add(const struct look *look, struct problems *problems, const char *option,
		const char *what, const char *why)
{
	char place[ORIGIN_TEXT_SIZE];

	if (!problems ||
	    (!look->notes && origin_of(look->origins, option_by_name(option)) != ORIGIN_FILE))
		return;
	origin_place(look->origins, option_by_name(option), place);
	problems_add(problems, "%s: %s%s%s", place, what, why ? ": " : "", why ? why : "");
}

/*
 * Returns the text without "--option: " in front, as the place of the problem names the option
 * already.
 */
static const char *without_option(const char *text, const char *option)
{
	size_t length = strlen(option);

	return !strncmp(text, "--", 2) && !strncmp(text + 2, option, length) &&
			       text[2 + length] == ':'
		       ? text + 2 + length + 2
		       : text;
}

/*
 * Look for the user. Only root can start workers as another user. If `check` is not run by root,
 * that is no mistake of the file, as root may start the instance.
 */
static void look_at_user(const struct look *look)
{
	struct identity identity;
	struct error_text why;
	int error;

	if (!look->config->identity.user)
		return;
	error = identity_find(look->config->identity.user, &identity, &why);
	if (error)
		add(look, error == -EPERM ? look->notes : look->mistakes, "user",
		    without_option(why.text, "user"), NULL);
	else
		identity_fini(&identity);
}

static void look_at_env_files(const struct look *look)
{
	const struct string_list *files = &look->config->identity.env_files;
	struct environment environment = {0};
	struct error_text why;
	size_t i;

	for (i = 0; i < files->count; i++) {
		int error = environment_read_file(&environment, files->items[i], NULL, 0,
						  look->config->name, &why);

		if (error && (look->notes || (error != -EACCES && error != -EPERM)))
			add(look, look->mistakes, "env-file", why.text, NULL);
	}
	environment_fini(&environment);
}

static void look_at_proxies(const struct look *look)
{
	struct ranges ranges;
	struct error_text why;

	if (ranges_read(&look->config->proxy.trusted, &ranges, &why))
		add(look, look->mistakes, "trusted-proxy",
		    without_option(why.text, "trusted-proxy"), NULL);
	else
		ranges_fini(&ranges);
}

/* Returns NULL, or the reason why programs can't run in a directory. */
static const char *directory_problem(const struct look *look, const char *path)
{
	struct stat status;
	int error = stat(path, &status) ? errno : 0;

	if (!error && !S_ISDIR(status.st_mode))
		error = ENOTDIR;
	if (!error && access(path, X_OK))
		error = errno;
	return error && (look->notes || error != EACCES) ? strerror(error) : NULL;
}

static void look_at_chdir(const struct look *look)
{
	const char *chosen = look->config->identity.chdir;
	const char *why = chosen ? directory_problem(look, chosen) : NULL;

	if (why)
		add(look, look->mistakes, "chdir", chosen, why);
}

/*
 * Check that a directory can be made at the start: the nearest one above it that exists must be
 * writable.
 */
static void look_at_made(const struct look *look, const char *option, const char *directory)
{
	char path[PATH_MAX], *slash;

	if (!directory || strlen(directory) >= sizeof(path))
		return;
	strcpy(path, directory);
	while (access(path, F_OK) && errno == ENOENT && (slash = strrchr(path, '/')) &&
	       slash != path)
		*slash = '\0';
	if (!access(path, W_OK | X_OK) || errno == ENOENT)
		return;
	add(look, errno == ENOTDIR ? look->mistakes : look->notes, option, path, strerror(errno));
}

static void look_at_seed(const struct look *look)
{
	uint8_t seed[STICKY_SEED_SIZE];
	struct error_text why;
	int error = look->config->seed_file ? seed_read(look->config->seed_file, seed, &why) : 0;

	if (error)
		add(look, error == -EACCES ? look->notes : look->mistakes, "seed-file",
		    without_option(why.text, "seed-file"), NULL);
}

/*
 * Look for the directory of unix:/run/app/{slot}.sock. A path with {slot} in it is not looked for.
 */
static void look_at_slot_listen(const struct look *look)
{
	const char *address = look->config->slot_listen;
	char path[PATH_MAX], *slash;
	const char *why;

	if (!address || strncmp(address, "unix:/", 6) != 0 || strlen(address) >= sizeof(path))
		return;
	strcpy(path, address + 5);
	slash = strrchr(path, '/');
	*slash = '\0';
	why = *path && !strstr(path, "{slot}") ? directory_problem(look, path) : NULL;
	if (why)
		add(look, look->mistakes, "slot-listen", path, why);
}

static void look_at_device(const struct look *look)
{
	const char *device = look->config->sockets.bind_device;

	if (device && !if_nametoindex(device))
		add(look, look->notes, "bind-device", "this machine has no such network device now",
		    device);
}

/*
 * Returns true if a path names a program. A relative path begins at the directory that workers run
 * in.
 */
static bool is_program(const struct look *look, const char *file)
{
	const char *directory = look->config->identity.chdir;
	char path[PATH_MAX];
	struct stat status;
	int length =
		snprintf(path, sizeof(path), "%s%s%s", directory && file[0] != '/' ? directory : "",
			 directory && file[0] != '/' ? "/" : "", file);

	return length > 0 && (size_t)length < sizeof(path) && !stat(path, &status) &&
	       S_ISREG(status.st_mode) && !access(path, X_OK);
}

static bool is_found(const struct look *look, const char *command)
{
	struct candidates candidates;
	bool found = false;
	size_t i;

	if (candidates_find(command, getenv("PATH"), &candidates))
		return true;
	for (i = 0; candidates.files[i] && !found; i++)
		found = is_program(look, candidates.files[i]);
	candidates_fini(&candidates);
	return found;
}

/* Look for the program of the command. A PATH that --env sets for the workers is not searched. */
static void look_at_command(const struct look *look)
{
	const struct file_place *place = &look->origins->report->command;
	char *const *command = look->config->command;

	if (!command || is_found(look, command[0]))
		return;
	if (look->origins->sources->command)
		problems_add(look->mistakes, "command line: no program '%.200s' is found",
			     command[0]);
	else
		problems_add(look->mistakes,
			     "%.200s:%zu:%zu: command: no program '%.200s' is found",
			     look->origins->file, place->line, place->column, command[0]);
}

void check_files(const struct config *config, const struct origins *origins,
		 struct problems *mistakes, struct problems *notes)
{
	const struct look look = {config, origins, mistakes, notes};

	look_at_user(&look);
	look_at_env_files(&look);
	look_at_proxies(&look);
	look_at_chdir(&look);
	look_at_made(&look, "run-dir", config->run_dir);
	look_at_made(&look, "state-dir", config->state_dir);
	look_at_seed(&look);
	look_at_slot_listen(&look);
	look_at_device(&look);
	look_at_command(&look);
}

void check_before_start(const struct config *config, const struct origins *origins,
			struct problems *mistakes)
{
	const struct look look = {config, origins, mistakes, NULL};

	look_at_user(&look);
	look_at_seed(&look);
}

void check_start(const struct config *config, const struct origins *origins,
		 struct problems *mistakes)
{
	const struct look look = {config, origins, mistakes, NULL};

	look_at_env_files(&look);
	look_at_chdir(&look);
	look_at_slot_listen(&look);
}
