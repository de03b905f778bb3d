// SPDX-License-Identifier: MIT
#include "rights/trusted_path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_SIZE (NAME_MAX + 2) /* a name that is too long stays too long when it is cut */
#define LINKS_MAX 40		 /* as path_resolution(7) */

struct walk {
	int directory;	     /* the directory that the walk has reached */
	char rest[PATH_MAX]; /* the part of the path that is still to be walked */
	int links;	     /* symbolic links followed */
};

static bool is_ours(const struct stat *status)
{
	return status->st_uid == 0 || status->st_uid == geteuid();
}

/* Returns true if the directory is ours or root's, and others can't replace our entries in it. */
static bool is_trusted_directory(const struct stat *status)
{
	return is_ours(status) &&
	       (!(status->st_mode & (S_IWGRP | S_IWOTH)) || status->st_mode & S_ISVTX);
}

/*
 * Go on at a directory, and take its descriptor over; -1 is allowed. Returns false if others may
 * change the directory, or if there is none.
 */
static bool enter(struct walk *walk, int directory)
{
	struct stat status;

	if (walk->directory >= 0)
		close(walk->directory);
	walk->directory = directory;
	return directory >= 0 && fstat(directory, &status) == 0 && is_trusted_directory(&status);
}

/* Put the target of a symbolic link in front of the rest of the path. */
static bool follow(struct walk *walk, int link)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t length = readlinkat(link, "", target, sizeof(target) - 1);

	if (length <= 0 || ++walk->links > LINKS_MAX)
		return false;
	target[length] = '\0';
	strcpy(rest, walk->rest);
	if ((size_t)snprintf(walk->rest, sizeof(walk->rest), "%s%s", target, rest) >=
	    sizeof(walk->rest))
		return false;
	return target[0] != '/' || enter(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/* Cut the first name off the rest. Returns false if no name is left. */
static bool next_name(struct walk *walk, char ret_name[NAME_SIZE])
{
	const char *begin = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(begin, "/");

	if (length > NAME_SIZE - 1)
		length = NAME_SIZE - 1;
	memcpy(ret_name, begin, length);
	ret_name[length] = '\0';
	memmove(walk->rest, begin + length, strlen(begin + length) + 1);
	return length > 0;
}

static bool step(struct walk *walk, const char *name)
{
	struct stat status;
	int fd = openat(walk->directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	bool is_trusted;

	if (fd < 0 || fstat(fd, &status)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (S_ISDIR(status.st_mode))
		return enter(walk, fd);
	is_trusted = S_ISLNK(status.st_mode) ? is_ours(&status) && follow(walk, fd)
					     : walk->rest[strspn(walk->rest, "/")] == '\0';
	close(fd);
	return is_trusted;
}

bool trusted_path(const char *path)
{
	struct walk walk = {.directory = -1};
	char name[NAME_SIZE];
	bool is_trusted;

	if (strlen(path) >= sizeof(walk.rest))
		return false;
	strcpy(walk.rest, path);
	is_trusted =
		enter(&walk, open(path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
	while (is_trusted && next_name(&walk, name))
		is_trusted = step(&walk, name);
	if (walk.directory >= 0)
		close(walk.directory);
	return is_trusted;
}

bool trusted_path_of_directory(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash)
		return trusted_path(".");
	if ((size_t)snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path) + 1, path) >=
	    sizeof(directory))
		return false;
	return trusted_path(directory);
}
