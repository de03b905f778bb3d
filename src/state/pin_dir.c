// SPDX-License-Identifier: MIT
#include "state/pin_dir.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/private_dir.h"

#define BPF_FS "/sys/fs/bpf"

void pins_locate(const char *name, char ret_path[PINS_PATH_SIZE])
{
	/* The file system's root is open to all users, as /tmp is: each user has a directory there.
	 */
	if (geteuid() == 0)
		snprintf(ret_path, PINS_PATH_SIZE, BPF_FS "/sticky/%s", name);
	else
		snprintf(ret_path, PINS_PATH_SIZE, BPF_FS "/sticky-%u/%s", geteuid(), name);
}

static int mount_bpf_fs(void)
{
	struct statfs info;

	if (statfs(BPF_FS, &info) == 0 && (unsigned long)info.f_type == BPF_FS_MAGIC)
		return 0;
	return mount("bpf", BPF_FS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") ? -errno
											  : 0;
}

int pins_make(const char *name, char ret_path[PINS_PATH_SIZE], char *ret_error, size_t error_size)
{
	int error = mount_bpf_fs();

	if (error) {
		snprintf(ret_error, error_size, "no BPF file system at " BPF_FS ": %s",
			 strerror(-error));
		return error;
	}
	pins_locate(name, ret_path);
	return directory_make(ret_path, 0700, false, ret_error, error_size);
}

void pins_clear(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	pins_remove(path);
}

void pins_remove(const char *path)
{
	char parent[PINS_PATH_SIZE];
	char *slash;

	if (!path[0])
		return;
	rmdir(path);
	strcpy(parent, path);
	slash = strrchr(parent, '/');
	*slash = '\0';
	rmdir(parent); /* stays where another instance has pins there */
}
