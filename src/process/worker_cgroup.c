// SPDX-License-Identifier: MIT
#include "process/worker_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "procfs/cgroup.h"

#define NAME_SIZE   256
#define NAMES_TRIED 8 /* of a worker, while processes of previous ones live on under its name */
#define PATH_SIZE   (PATH_MAX + NAME_SIZE)
#define CLEAN_TRIES 20
#define CLEAN_MS    5

/* Where the unified hierarchy is mounted: alone, or beside those of version 1. */
static const char *const mounts[] = {CGROUP_ROOT, CGROUP_ROOT "/unified"};

/* The files that limit what is used, where they do not begin with "max". */
static const char *const limits[] = {"memory.max", "memory.high", "cpu.max"};

/* ---- The controller's own cgroup ------------------------------------------------ */

/* Read the beginning of a file of a cgroup. Returns its length, or -1: there is none. */
static ssize_t read_file(const char *directory, const char *name, size_t size, char *ret_text)
{
	char path[PATH_SIZE];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, ret_text, size - 1);
	if (fd >= 0)
		close(fd);
	ret_text[length > 0 ? length : 0] = '\0';
	return length;
}

static bool has_file(const char *directory, const char *name)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

static bool has_mark(const char *directory, const char *attribute)
{
	char value[2];

	return getxattr(directory, attribute, value, sizeof(value)) == 1 && value[0] == '1';
}

/* The root of the whole hierarchy has no cgroup.events, that of a cgroup namespace has. */
static bool is_delegated(const char *directory, const char *cgroup)
{
	return has_mark(directory, "user.delegate") || has_mark(directory, "trusted.delegate") ||
	       (!strcmp(cgroup, "/") && has_file(directory, "cgroup.events"));
}

/* What is mounted may be another cgroup than that of this path: of an outer namespace. */
static bool is_own(const char *directory)
{
	char path[PATH_SIZE], line[32];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = strtol(line, NULL, 10) == getpid();
	fclose(file);
	return found;
}

/*
 * Find the controller's own cgroup.
 *
 * ret_cgroup  its path as /proc tells it
 *
 * Returns 0, or -1: there is none, or it is not delegated.
 */
static int find_own(char ret_directory[PATH_MAX], char ret_cgroup[PATH_MAX])
{
	size_t i;

	if (cgroup_find("", ret_cgroup))
		return -1;
	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		const char *below = strcmp(ret_cgroup, "/") ? ret_cgroup : "";
		struct statfs kind;

		if (snprintf(ret_directory, PATH_MAX, "%s%s", mounts[i], below) >= PATH_MAX ||
		    statfs(ret_directory, &kind) || kind.f_type != CGROUP2_SUPER_MAGIC)
			continue;
		return is_delegated(ret_directory, ret_cgroup) && is_own(ret_directory) ? 0 : -1;
	}
	return -1;
}

/*
 * A cgroup that hands controllers on to those below may not have processes of its own, and ours has
 * the controller.
 */
static bool may_have_children(const char *directory)
{
	char text[64];
	size_t i;

	if (!has_file(directory, "cgroup.kill") ||
	    read_file(directory, "cgroup.subtree_control", sizeof(text), text) < 0 ||
	    text[strspn(text, "\n")])
		return false;
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (read_file(directory, limits[i], sizeof(text), text) > 0 &&
		    strncmp(text, "max", 3) != 0)
			return false;
	return true;
}

/* ---- A worker's ------------------------------------------------------------------ */

/* '@' can't be in the name of an instance: no name is the beginning of another one's. */
static int write_prefix(const char *instance, char ret_prefix[NAME_SIZE])
{
	int length = snprintf(ret_prefix, NAME_SIZE, "stickyctl-%s@", instance);

	return length < NAME_SIZE ? length : -1;
}

/* Processes that outlived a previous worker of this name keep its cgroup, and are not joined. */
static char *make_directory(const char *own, const char *instance, unsigned int slot,
			    uint64_t generation)
{
	char prefix[NAME_SIZE], path[PATH_SIZE + 64];
	int number;

	if (write_prefix(instance, prefix) < 0)
		return NULL;
	for (number = 0; number < NAMES_TRIED; number++) {
		int length = snprintf(path, sizeof(path), "%s/%s%u.%" PRIu64, own, prefix, slot,
				      generation);

		if (number)
			snprintf(path + length, sizeof(path) - (size_t)length, ".%d", number);
		rmdir(path);
		if (mkdir(path, 0755) == 0)
			return strdup(path);
		if (errno != EEXIST)
			return NULL;
	}
	return NULL;
}

int worker_cgroup_make(const char *instance, unsigned int slot, uint64_t generation,
		       struct worker_cgroup *ret_cgroup)
{
	char own[PATH_MAX], cgroup[PATH_MAX], path[PATH_SIZE];
	char *directory;
	int procs;

	if (find_own(own, cgroup) || !may_have_children(own))
		return -1;
	directory = make_directory(own, instance, slot, generation);
	if (!directory)
		return -1;
	snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
	procs = open(path, O_WRONLY | O_CLOEXEC);
	if (procs < 0) {
		rmdir(directory);
		free(directory);
		return -1;
	}
	*ret_cgroup = (struct worker_cgroup){.path = directory};
	return procs;
}

void worker_cgroup_adopt(const char *instance, pid_t pid, struct worker_cgroup *ret_cgroup)
{
	char own[PATH_MAX], ours[PATH_MAX], its[PATH_MAX], prefix[NAME_SIZE], path[PATH_SIZE];
	int length = write_prefix(instance, prefix);
	char *name;

	if (length < 0 || find_own(own, ours) || cgroup_find_of(pid, its))
		return;
	name = strrchr(its, '/');
	*name++ = '\0';
	if (strcmp(its, strcmp(ours, "/") ? ours : "") != 0 ||
	    strncmp(name, prefix, (size_t)length) != 0)
		return;
	snprintf(path, sizeof(path), "%s/%s", own, name);
	*ret_cgroup = (struct worker_cgroup){.path = strdup(path)};
}

/* The path in the file system is the mount's, and then the path in the hierarchy. */
bool worker_cgroup_holds(const struct worker_cgroup *cgroup, pid_t pid)
{
	char its[PATH_MAX];
	size_t length;

	if (!cgroup->path || cgroup_find_of(pid, its))
		return false;
	length = strlen(its);
	return length > 1 && length < strlen(cgroup->path) &&
	       !strcmp(cgroup->path + strlen(cgroup->path) - length, its);
}

FILE *worker_cgroup_processes(const struct worker_cgroup *cgroup)
{
	char path[PATH_SIZE];

	if (!cgroup->path)
		return NULL;
	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup->path);
	return fopen(path, "re");
}

void worker_cgroup_kill(struct worker_cgroup *cgroup)
{
	char path[PATH_SIZE];
	int fd;

	if (!cgroup->path)
		return;
	snprintf(path, sizeof(path), "%s/cgroup.kill", cgroup->path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	cgroup->killed |= write(fd, "1", 1) == 1;
	close(fd);
}

/* ---- Removal --------------------------------------------------------------------- */

/* Returns true if the directory is there, because it has processes. */
static bool is_kept(const char *path)
{
	return rmdir(path) && errno == EBUSY;
}

bool worker_cgroups_remove_left(struct worker_cgroups_left *left)
{
	bool kept = false;
	size_t i;

	for (i = 0; i < WORKER_CGROUPS_LEFT_MAX; i++) {
		if (!left->paths[i])
			continue;
		if (is_kept(left->paths[i])) {
			kept = true;
			continue;
		}
		free(left->paths[i]);
		left->paths[i] = NULL;
	}
	return kept;
}

void worker_cgroup_remove(struct worker_cgroup *cgroup, struct worker_cgroups_left *left)
{
	size_t i = 0;

	if (cgroup->path && is_kept(cgroup->path)) {
		while (i < WORKER_CGROUPS_LEFT_MAX && left->paths[i])
			i++;
		if (i < WORKER_CGROUPS_LEFT_MAX) {
			left->paths[i] = cgroup->path;
			cgroup->path = NULL;
		}
	}
	free(cgroup->path);
	cgroup->path = NULL;
}

static void remove_empty(const char *own, const char *prefix)
{
	DIR *directory = opendir(own);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (!strncmp(entry->d_name, prefix, strlen(prefix)))
			unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
	if (directory)
		closedir(directory);
}

void worker_cgroups_clean(const char *instance, struct worker_cgroups_left *left)
{
	char own[PATH_MAX], cgroup[PATH_MAX], prefix[NAME_SIZE];
	int try;
	size_t i;

	for (try = 0; worker_cgroups_remove_left(left) && try < CLEAN_TRIES; try++)
		poll(NULL, 0, CLEAN_MS);
	for (i = 0; i < WORKER_CGROUPS_LEFT_MAX; i++) {
		free(left->paths[i]);
		left->paths[i] = NULL;
	}
	if (write_prefix(instance, prefix) >= 0 && !find_own(own, cgroup))
		remove_empty(own, prefix);
}
