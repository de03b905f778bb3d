// SPDX-License-Identifier: MIT
#include "common/descriptor_range.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES_SIZE 4096 /* bytes that one read of a directory gets at most */

/*
 * An entry as getdents64(2) writes it. The C library's readdir() is not used: it allocates memory.
 */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	unsigned char type;
	char name[];
};

static void close_one(int fd)
{
	close(fd);
}

static void set_cloexec(int fd)
{
	fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Returns the number that a name is; -1 for "." and "..". */
static int read_number(const char *name)
{
	int number = 0;

	if (*name < '0' || *name > '9')
		return -1;
	for (; *name >= '0' && *name <= '9'; name++)
		number = number * 10 + (*name - '0');
	return number;
}

/* Returns 0, or -1 if the directory can't be read. */
static int walk_directory(int directory, int first, void (*change)(int fd))
{
	_Alignas(struct entry) char entries[ENTRIES_SIZE];
	long length, at;

	while ((length = syscall(SYS_getdents64, directory, entries, sizeof(entries))) > 0)
		for (at = 0; at < length;) {
			const struct entry *entry = (const void *)(entries + at);
			int fd = read_number(entry->name);

			if (fd >= first && fd != directory)
				change(fd);
			at += entry->length;
		}
	return length < 0 ? -1 : 0;
}

/* Change every number that a descriptor may have, where /proc is missing. */
static int walk_numbers(int first, void (*change)(int fd))
{
	struct rlimit limit;
	rlim_t fd;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -1;
	for (fd = (rlim_t)first; fd < limit.rlim_max && fd < INT32_MAX; fd++)
		change((int)fd);
	return 0;
}

static int walk(int first, void (*change)(int fd))
{
	int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;

	if (directory < 0)
		return walk_numbers(first, change);
	result = walk_directory(directory, first, change);
	close(directory);
	return result ? walk_numbers(first, change) : 0;
}

/*
 * Returns true if the kernel lacks the call (ENOSYS) or its flag (EINVAL), or a filter refuses the
 * call (EPERM).
 */
static bool is_unknown(int error)
{
	return error == ENOSYS || error == EINVAL || error == EPERM;
}

static int change_from(int first, unsigned int flags, void (*change)(int fd))
{
	if (!syscall(SYS_close_range, first, ~0u, flags))
		return 0;
	return is_unknown(errno) ? walk(first, change) : -1;
}

int descriptors_set_cloexec_from(int first)
{
	return change_from(first, CLOSE_RANGE_CLOEXEC, set_cloexec);
}

int descriptors_close_from(int first)
{
	return change_from(first, 0, close_one);
}
