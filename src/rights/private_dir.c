// SPDX-License-Identifier: MIT
#include "rights/private_dir.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error_text.h"

static int make_one(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0)
		return chmod(path, mode) ? -errno : 0;
	return errno == EEXIST ? 0 : -errno;
}

static int make_parents(const char *path, mode_t mode)
{
	char partial[PATH_MAX];
	char *slash;
	int error = 0;

	if (strlen(path) >= sizeof(partial))
		return -ENAMETOOLONG;
	strcpy(partial, path);
	for (slash = strchr(partial + 1, '/'); slash && !error; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		error = make_one(partial, mode);
		*slash = '/';
	}
	return error ? error : make_one(path, mode);
}

static bool is_ours(const struct stat *info)
{
	return info->st_uid == geteuid() || info->st_uid == 0;
}

int directory_make(const char *path, mode_t mode, bool may_be_shared, struct error_text *ret_error)
{
	struct stat info = {0}, link = {0};
	int error = make_parents(path, mode);

	if (!error && (lstat(path, &link) || stat(path, &info)))
		error = -errno;
	if (error) {
		error_text_set(ret_error, "cannot make the directory %s: %s", path,
			       strerror(-error));
		return error;
	}
	if (!S_ISDIR(info.st_mode)) {
		error_text_set(ret_error, "%s is not a directory", path);
		return -ENOTDIR;
	}
	if (!is_ours(&info) || !is_ours(&link)) {
		error_text_set(
			ret_error,
			"%s belongs to uid %u, another user: remove it, or name another directory",
			path, is_ours(&info) ? link.st_uid : info.st_uid);
		return -EPERM;
	}
	if (info.st_mode & (S_IWGRP | S_IWOTH) && !(may_be_shared && info.st_mode & S_ISVTX)) {
		error_text_set(ret_error,
			       "%s can be written to by others (mode %04o): chmod go-w it, or name "
			       "another directory",
			       path, info.st_mode & 07777);
		return -EPERM;
	}
	return 0;
}
