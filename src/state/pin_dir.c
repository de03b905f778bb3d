// SPDX-License-Identifier: MIT
#include "state/pin_dir.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/error_text.h"
#include "rights/private_dir.h"

#define BPF_FS "/sys/fs/bpf"

#define ID_TRIES 8 /* if a directory with this number exists, another number is drawn */

void pins_locate(const char *name, uint32_t id, char ret_path[PINS_PATH_SIZE])
{
	/*
	 * The root of the BPF file system is open to all users, as /tmp is. Each user therefore has
	 * a directory of its own there.
	 */
	if (geteuid() == 0)
		snprintf(ret_path, PINS_PATH_SIZE, BPF_FS "/sticky/%s-%08x", name, id);
	else
		snprintf(ret_path, PINS_PATH_SIZE, BPF_FS "/sticky-%u/%s-%08x", geteuid(), name,
			 id);
}

static int mount_bpf_fs(void)
{
	struct statfs info;

	if (statfs(BPF_FS, &info) == 0 && (unsigned long)info.f_type == BPF_FS_MAGIC)
		return 0;
	return mount("bpf", BPF_FS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") ? -errno
											  : 0;
}

/* Draw a number for which there is no directory. Returns 0 or -errno. */
static int draw_id(const char *name, uint32_t *ret_id)
{
	char path[PINS_PATH_SIZE];
	uint32_t id = 0;
	int tries;

	for (tries = 0; tries < ID_TRIES; tries++) {
		if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id))
			return -errno;
		pins_locate(name, id, path);
		if (id && access(path, F_OK) && errno == ENOENT) {
			*ret_id = id;
			return 0;
		}
	}
	return -EEXIST;
}

int pins_make(const char *name, uint32_t *ret_id, char ret_path[PINS_PATH_SIZE],
	      struct error_text *ret_error)
{
	int error = mount_bpf_fs();

	if (error) {
		error_text_set(ret_error, "no BPF file system at " BPF_FS ": %s", strerror(-error));
		return error;
	}
	error = draw_id(name, ret_id);
	if (error) {
		error_text_set(ret_error, "no number for a directory in " BPF_FS ": %s",
			       strerror(-error));
		return error;
	}
	pins_locate(name, *ret_id, ret_path);
	return directory_make(ret_path, 0700, false, ret_error);
}

/*
 * Find the BPF file system of PID 1 in its list of mounts: proc_pid_mountinfo(5). The list can be
 * read where /proc/1/root can't: for that, this process needs all capabilities of PID 1.
 *
 * ret_device  of the last mount at BPF_FS, which hides earlier ones; 0: there is none
 *
 * Returns 0 or -errno.
 */
static int read_first_device(dev_t *ret_device)
{
	FILE *mounts = fopen("/proc/1/mountinfo", "re");
	char line[4096], path[256];
	unsigned int major, minor;
	bool begins_line = true;
	dev_t device = 0;
	int error;

	if (!mounts)
		return -errno;
	while (fgets(line, sizeof(line), mounts)) {
		if (begins_line &&
		    sscanf(line, "%*u %*u %u:%u %*s %255s", &major, &minor, path) == 3 &&
		    !strcmp(path, BPF_FS))
			device = makedev(major, minor);
		begins_line = strchr(line, '\n') != NULL;
	}
	error = ferror(mounts) ? -EIO : 0;
	fclose(mounts);
	if (!error)
		*ret_device = device;
	return error;
}

bool pins_are_private(void)
{
	struct stat ours, first;

	/*
	 * /proc/1 is PID 1 of this PID namespace: in a container, the container's own. Two mount
	 * namespaces may have the same BPF file system, as those of systemd's services have.
	 */
	if (stat(BPF_FS, &ours))
		return false;
	if (stat("/proc/1/root" BPF_FS, &first) && read_first_device(&first.st_dev))
		return false;
	return ours.st_dev != first.st_dev;
}

static void remove_entries(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
}

void pins_remove(const char *path)
{
	char parent[PINS_PATH_SIZE];
	char *slash;

	if (!path[0])
		return;
	remove_entries(path);
	rmdir(path);
	strcpy(parent, path);
	slash = strrchr(parent, '/');
	*slash = '\0';
	rmdir(parent); /* the directory stays if another instance has pins there */
}
