// SPDX-License-Identifier: MIT
/*
 * The lock of a group, and what a child of its process may do.
 *
 * After fork(2) the child has a copy of the group, and descriptors of the parent's maps and
 * sockets. If the child changed a slot, the parent would not know. The copy of the lock may also be
 * locked for ever, by a thread that the child does not have. The child is recognised without a
 * system call: a page of the group's memory is filled with zeros in a child (MADV_WIPEONFORK,
 * Linux 4.14).
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/group_internal.h"

#define MARK 1

int group_lock_init(struct sticky_group *group)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *page =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -ENOMEM;
	/* EINVAL: an older kernel, on which a child is not recognised. */
	if (madvise(page, size, MADV_WIPEONFORK) && errno != EINVAL) {
		munmap(page, size);
		return -ENOMEM;
	}
	page[0] = MARK;
	group->fork_mark = page;
	pthread_mutex_init(&group->lock, NULL);
	return 0;
}

void group_lock_fini(struct sticky_group *group)
{
	if (!group_is_inherited(group))
		pthread_mutex_destroy(&group->lock);
	munmap(group->fork_mark, (size_t)sysconf(_SC_PAGESIZE));
}

bool group_is_inherited(const struct sticky_group *group)
{
	return group->fork_mark[0] != MARK;
}

void group_lock(struct sticky_group *group)
{
	if (!group_is_inherited(group))
		pthread_mutex_lock(&group->lock);
}

void group_unlock(struct sticky_group *group)
{
	if (!group_is_inherited(group))
		pthread_mutex_unlock(&group->lock);
}
