// SPDX-License-Identifier: MIT
#include "rights/user_rights.h"

#include <errno.h>
#include <grp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"

#define BIT(capability) (1u << (capability)) /* CAP_SETGID and CAP_SETUID are below 32 */

/*
 * This system call changes only the calling thread: the C library's setgroups() changes all
 * threads.
 */
#ifdef SYS_setgroups32
#define SYS_SET_GROUPS SYS_setgroups32
#else
#define SYS_SET_GROUPS SYS_setgroups
#endif

static int read_capabilities(struct __user_cap_data_struct *ret_sets)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capget, &header, ret_sets) ? -errno : 0;
}

static int write_capabilities(const struct __user_cap_data_struct *sets)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capset, &header, sets) ? -errno : 0;
}

/*
 * Make exactly these capabilities effective, as far as they were permitted when the region began.
 */
static int make_effective(const struct user_rights_region *region, uint32_t set)
{
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	memcpy(sets, region->capabilities, sizeof(sets));
	sets[0].effective = set & sets[0].permitted;
	sets[1].effective = 0;
	return write_capabilities(sets);
}

/*
 * Set the ids for access to files. setfsuid(2) and setfsgid(2) report no error: a second call tells
 * whether the first one took effect.
 */
static int set_user(uid_t uid, gid_t gid)
{
	setfsgid(gid);
	if ((gid_t)setfsgid((gid_t)-1) != gid)
		return -EPERM;
	setfsuid(uid);
	return (uid_t)setfsuid((uid_t)-1) == uid ? 0 : -EPERM;
}

static int set_groups(size_t count, const gid_t *groups)
{
	return syscall(SYS_SET_GROUPS, count, groups) ? -errno : 0;
}

static int save_groups(struct user_rights_region *region)
{
	int count = getgroups(0, NULL);

	if (count < 0)
		return -errno;
	region->groups = calloc((size_t)count + 1, sizeof(gid_t));
	if (!region->groups)
		return -ENOMEM;
	region->group_count = getgroups(count, region->groups);
	return region->group_count < 0 ? -errno : 0;
}

static int save(struct user_rights_region *region)
{
	region->uid = (uid_t)setfsuid((uid_t)-1);
	region->gid = (gid_t)setfsgid((gid_t)-1);
	region->dumpable = prctl(PR_GET_DUMPABLE);
	prctl(PR_GET_PDEATHSIG, &region->parent_death_signal);
	return save_groups(region);
}

static int change(const struct user_rights *rights, struct user_rights_region *region)
{
	int error = save(region);

	if (!error)
		error = make_effective(region, BIT(CAP_SETGID) | BIT(CAP_SETUID));
	if (!error)
		error = set_groups(rights->group_count, rights->groups);
	if (error)
		return error;
	region->changed = true;
	return set_user(rights->uid, rights->gid);
}

static int change_back(const struct user_rights_region *region)
{
	int error = make_effective(region, BIT(CAP_SETGID) | BIT(CAP_SETUID));

	if (!error)
		error = set_user(region->uid, region->gid);
	if (!error)
		error = set_groups((size_t)region->group_count, region->groups);
	if (!error && region->dumpable == 1)
		prctl(PR_SET_DUMPABLE, 1);
	if (!error && region->parent_death_signal)
		prctl(PR_SET_PDEATHSIG, region->parent_death_signal);
	return error;
}

static _Noreturn void refuse_to_go_on(int error)
{
	report(STICKY_LOG_ERROR, "rights_not_restored",
	       "error=\"%s\" hint=\"stickyctl exits, as it would go on with the rights of the "
	       "workers' user; let it call setfsuid(), setfsgid(), setgroups() and capset(), which "
	       "a seccomp filter may forbid (SystemCallFilter= in a systemd unit)\"",
	       strerror(-error));
	_exit(EXIT_FAILURE);
}

int user_rights_begin(const struct user_rights *rights, struct user_rights_region *ret_region)
{
	int error;

	*ret_region = (struct user_rights_region){.is_own = !rights};
	if (!rights)
		return 0;
	error = read_capabilities(ret_region->capabilities);
	if (error)
		return error;
	if (rights->change)
		error = change(rights, ret_region);
	if (!error)
		error = make_effective(ret_region, 0);
	if (error)
		user_rights_end(ret_region);
	return error;
}

void user_rights_end(struct user_rights_region *region)
{
	int kept = errno, error = 0;

	if (region->is_own)
		return;
	if (region->changed)
		error = change_back(region);
	if (!error)
		error = write_capabilities(region->capabilities);
	if (error)
		refuse_to_go_on(error);
	free(region->groups);
	region->groups = NULL;
	errno = kept;
}

bool user_rights_are_of_root(const struct user_rights *rights)
{
	return rights->change ? rights->uid == 0 : geteuid() == 0;
}
