/* SPDX-License-Identifier: MIT */
/*
 * The user and group that workers run as. They are looked up before fork(), as a child may not call
 * NSS.
 */
#ifndef STICKY_PROCESS_IDENTITY_H
#define STICKY_PROCESS_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/error_text.h"
#include "rights/user_rights.h"

struct identity {
	/* false: workers run as the controller does, and the other members are unset */
	bool change;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t group_count;
	char *name;
	char *home;
	char *shell;
};

/*
 * Look up "USER" or "USER:GROUP". Both can be names or numbers.
 *
 * user       NULL: the user who called sudo, if the controller is root by sudo; else unchanged
 * ret_error  what is wrong
 *
 * Returns 0, -ENOENT (no such user or group), -EPERM (the controller is not root) or -ENOMEM.
 */
int identity_find(const char *user, struct identity *ret_identity, struct error_text *ret_error);

/*
 * Try in a child whether a process can change to this identity. Capabilities may be missing, or the
 * ids may not exist in this user namespace.
 *
 * ret_error  what is missing, and what to do
 *
 * Returns 0, -EPERM (a capability), or another -errno.
 */
int identity_try(const struct identity *identity, struct error_text *ret_error);

/* Change this process to the identity. Async-signal-safe. Returns 0, or -1 and sets errno. */
int identity_become(const struct identity *identity);

/* Returns the rights of workers with this identity; valid as long as the identity is. */
struct user_rights identity_rights(const struct identity *identity);

/* May workers read a file? This opens the file with their rights. */
bool identity_may_read(const struct identity *identity, const char *path);

/* Free what identity_find() allocated. All zero is allowed. */
void identity_fini(struct identity *identity);

#endif
