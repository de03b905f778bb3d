// SPDX-License-Identifier: MIT
#include "client/instances.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/leftovers.h"
#include "common/units.h"
#include "config/setting.h"
#include "procfs/unix_listeners.h"
#include "state/rundir.h"

#define ROOTS_DIR "/run/sticky"
#define SOCKET	  "/control.sock"
/* Entries of a directory that are looked at: another user may have filled the directory. */
#define ENTRIES_MAX 4096

/* The state of one search. */
struct search {
	struct found_instances *found;
	const char *run_dir;		/* of --run-dir; NULL: search all */
	char own_dir[RUNDIR_PATH_SIZE]; /* the run directory of this user without --run-dir */
};

/* ---- The owner of a directory ------------------------------------------------------- */

/* Read a number between a prefix and a suffix. Returns false if the text has another form. */
static bool has_number(const char *text, const char *prefix, const char *suffix, uid_t *ret_number)
{
	size_t begin = strlen(prefix), digits;
	char number[16];
	uint64_t value;

	if (strncmp(text, prefix, begin) != 0)
		return false;
	digits = strspn(text + begin, "0123456789");
	if (digits >= sizeof(number) || strcmp(text + begin + digits, suffix) != 0)
		return false;
	memcpy(number, text + begin, digits);
	number[digits] = '\0';
	if (parse_number(number, 0, UINT32_MAX - 1, &value))
		return false;
	*ret_number = (uid_t)value;
	return true;
}

/*
 * Find the user of a run directory by the directory's name. Returns false if the name is none that
 * stickyctl chooses by itself.
 */
static bool owner_of(const char *run_dir, uid_t *ret_uid)
{
	if (!strcmp(run_dir, ROOTS_DIR)) {
		*ret_uid = 0;
		return true;
	}
	return has_number(run_dir, "/run/user/", "/sticky", ret_uid) ||
	       has_number(run_dir, "/tmp/sticky-", "", ret_uid);
}

/*
 * Find the length of DIR in a path "DIR/NAME/control.sock". Returns 0 for a path of another form.
 */
static size_t split(const char *path, size_t *ret_name_length)
{
	size_t length = strlen(path), end = length - strlen(SOCKET), begin;

	if (length <= strlen(SOCKET) || strcmp(path + end, SOCKET) != 0)
		return 0;
	for (begin = end; begin > 0 && path[begin - 1] != '/'; begin--)
		;
	*ret_name_length = end - begin;
	return begin > 1 ? begin - 1 : 0;
}

/* ---- The list -------------------------------------------------------------------- */

static bool is_known(const struct found_instances *found, const char *run_dir, const char *name)
{
	size_t i;

	for (i = 0; i < found->count; i++)
		if (!strcmp(found->list[i].run_dir, run_dir) && !strcmp(found->list[i].name, name))
			return true;
	return false;
}

static int add(struct search *search, const char *run_dir, const char *name, uid_t uid,
	       uint32_t left_workers)
{
	struct found_instances *found = search->found;
	struct found_instance *list, *added;

	if (found->count == INSTANCES_MAX || !is_instance_name(name) ||
	    is_known(found, run_dir, name))
		return 0;
	list = realloc(found->list, (found->count + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	found->list = list;
	added = &list[found->count];
	*added = (struct found_instance){.name = strdup(name), .run_dir = strdup(run_dir)};
	added->uid = uid;
	added->left_workers = left_workers;
	added->is_default_dir = !strcmp(run_dir, search->own_dir);
	if (added->name && added->run_dir) {
		found->count++;
		return 0;
	}
	free(added->name);
	free(added->run_dir);
	return -ENOMEM;
}

/* ---- Search by directories: also in other network namespaces ------------------------ */

static int add_entries(struct search *search, const char *run_dir, uid_t uid, DIR *directory)
{
	char path[RUNDIR_PATH_SIZE];
	struct dirent *entry;
	int error = 0, count;

	for (count = 0; !error && count < ENTRIES_MAX && (entry = readdir(directory)); count++) {
		int length = snprintf(path, sizeof(path), "%s/%s", run_dir, entry->d_name);

		uint32_t left_workers;

		if (length <= 0 || (size_t)length >= sizeof(path))
			continue;
		left_workers = leftovers_count(path);
		if (left_workers || rundir_is_taken(path))
			error = add(search, run_dir, entry->d_name, uid, left_workers);
	}
	return error;
}

/*
 * Add the instances in a run directory. A directory below /tmp may belong to any user: it is
 * skipped unless it belongs to the user that its name tells.
 */
static int look_into(struct search *search, const char *run_dir)
{
	bool is_chosen = search->run_dir || !strcmp(run_dir, search->own_dir);
	struct stat status;
	uid_t owner = 0;
	DIR *directory;
	int error;

	if (is_chosen ? stat(run_dir, &status) : lstat(run_dir, &status))
		return 0;
	if (!S_ISDIR(status.st_mode) ||
	    (!is_chosen && (!owner_of(run_dir, &owner) || owner != status.st_uid)))
		return 0;
	directory = opendir(run_dir);
	if (!directory)
		return 0;
	error = add_entries(search, run_dir, status.st_uid, directory);
	closedir(directory);
	return error;
}

static int look_into_all(struct search *search)
{
	glob_t found;
	size_t i;
	int error = look_into(search, search->own_dir);

	if (!error)
		error = look_into(search, ROOTS_DIR);
	if (error || glob("/run/user/*/sticky", 0, NULL, &found))
		found = (glob_t){0};
	else
		for (i = 0; i < found.gl_pathc && !error; i++)
			error = look_into(search, found.gl_pathv[i]);
	globfree(&found);
	if (error || glob("/tmp/sticky-*", 0, NULL, &found))
		return error;
	for (i = 0; i < found.gl_pathc && !error; i++)
		error = look_into(search, found.gl_pathv[i]);
	globfree(&found);
	return error;
}

/* ---- Search by sockets: also in directories of others ------------------------------- */

static int on_listener(void *context, const char *path)
{
	struct search *search = context;
	char run_dir[RUNDIR_PATH_SIZE], name[128];
	size_t name_length, length = split(path, &name_length);
	uid_t uid;

	if (!length || length >= sizeof(run_dir) || name_length >= sizeof(name))
		return 0;
	snprintf(run_dir, sizeof(run_dir), "%.*s", (int)length, path);
	snprintf(name, sizeof(name), "%.*s", (int)name_length, path + length + 1);
	return owner_of(run_dir, &uid) ? add(search, run_dir, name, uid, 0) : 0;
}

int instances_find(const char *run_dir, struct found_instances *ret_instances)
{
	struct search search = {.found = ret_instances, .run_dir = run_dir};
	char path[RUNDIR_PATH_SIZE], *slash;
	int error;

	*ret_instances = (struct found_instances){0};
	if (!rundir_locate(NULL, "x", path) && (slash = strrchr(path, '/'))) {
		*slash = '\0';
		strcpy(search.own_dir, path);
	}
	if (run_dir)
		return look_into(&search, run_dir);
	error = look_into_all(&search);
	if (error)
		return error;
	/* Without /proc there is no list of listening sockets: this is no error. */
	error = unix_listeners_each(on_listener, &search);
	return error == -ENOMEM ? error : 0;
}

void instances_user(uid_t uid, size_t size, char *ret_name)
{
	const struct passwd *entry = getpwuid(uid);

	if (entry)
		snprintf(ret_name, size, "%s", entry->pw_name);
	else
		snprintf(ret_name, size, "%u", uid);
}

/* Write the sudo command that is needed to act as a user. sudo(8) wants '#' before a number. */
static void write_sudo(uid_t uid, size_t size, char *ret_text)
{
	const struct passwd *entry = getpwuid(uid);

	if (uid == geteuid() || geteuid() == 0)
		ret_text[0] = '\0';
	else if (uid == 0)
		snprintf(ret_text, size, "sudo ");
	else if (entry)
		snprintf(ret_text, size, "sudo -u %s ", entry->pw_name);
	else
		snprintf(ret_text, size, "sudo -u '#%u' ", uid);
}

void instances_remedy(const struct found_instance *instance, char ret_command[REMEDY_SIZE])
{
	char sudo[128];
	bool is_named = strcmp(instance->name, "default") != 0;
	/* By `sudo -u` another default directory may be chosen than in a session of that user. */
	bool needs_dir = !instance->is_default_dir &&
			 (geteuid() == 0 || strcmp(instance->run_dir, ROOTS_DIR) != 0);

	write_sudo(instance->uid, sizeof(sudo), sudo);
	snprintf(ret_command, REMEDY_SIZE, "%sstickyctl status%s%s%s%.300s", sudo,
		 is_named ? " -n " : "", is_named ? instance->name : "",
		 needs_dir ? " --run-dir " : "", needs_dir ? instance->run_dir : "");
}

void instances_fini(struct found_instances *instances)
{
	size_t i;

	for (i = 0; i < instances->count; i++) {
		free(instances->list[i].name);
		free(instances->list[i].run_dir);
	}
	free(instances->list);
	*instances = (struct found_instances){0};
}
