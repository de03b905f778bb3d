/* SPDX-License-Identifier: MIT */
/*
 * The rights of the user that workers run as. Files and sockets that a worker names, or could have
 * prepared, are opened, bound and removed with these rights and not with the controller's own:
 *
 *	error = user_rights_begin(rights, &region);
 *	if (!error) {
 *		...
 *		user_rights_end(&region);
 *	}
 *
 * In the region the kernel checks access to files for the user's uid, gid and groups. No capability
 * is effective: neither one that overrides permissions of files nor any other. The effective uid
 * stays: the worker's user can't send signals to the controller, nor trace it. All functions here
 * change only the calling thread.
 */
#ifndef STICKY_RIGHTS_USER_RIGHTS_H
#define STICKY_RIGHTS_USER_RIGHTS_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct user_rights {
	bool change; /* false: the user is the controller's own, and the rest is unset */
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* borrowed */
	size_t group_count;
};

/* The state that user_rights_end() restores. */
struct user_rights_region {
	bool is_own;  /* the region has the controller's rights: nothing to restore */
	bool changed; /* groups and ids are those of the user */
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int group_count;
	int dumpable, parent_death_signal; /* the kernel resets them when a uid changes */
	struct __user_cap_data_struct capabilities[_LINUX_CAPABILITY_U32S_3];
};

/*
 * Take on the rights of a user. Regions of this kind do not nest, but one may stand in a region of
 * privilege_raise().
 *
 * rights  NULL: the controller's own rights and effective capabilities, so that nothing changes
 *
 * Returns 0; or -EPERM (the kernel does not let us), -ENOMEM or another -errno: then nothing has
 * changed, and user_rights_end() must not be called.
 */
int user_rights_begin(const struct user_rights *rights, struct user_rights_region *ret_region);

/*
 * Take on the controller's own rights again, with the capabilities that were effective before. If
 * the kernel refuses, the process logs the error and exits, as it must not go on with other rights.
 * Its workers go on, as after any death of the controller. Leaves errno alone.
 */
void user_rights_end(struct user_rights_region *region);

/* Returns true if processes of this user may bind ports that need CAP_NET_BIND_SERVICE. */
bool user_rights_are_of_root(const struct user_rights *rights);

#endif
