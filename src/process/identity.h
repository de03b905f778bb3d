/* SPDX-License-Identifier: MIT */
/* The user and group that workers run as. They are looked up before fork(): a child may not call
 * NSS. */
#ifndef STICKY_PROCESS_IDENTITY_H
#define STICKY_PROCESS_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/error_text.h"

struct identity {
	bool change; /* false: workers run as we do, and the rest is unset */
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t group_count;
	char *name;
	char *home;
	char *shell;
};

/*
 * Look up "USER", "USER:GROUP", names or numbers.
 *
 * user        NULL: the user who called sudo, where we are root by sudo; else unchanged
 * ret_error   what is wrong
 *
 * Returns 0, -ENOENT (no such user or group), -EPERM (only root can), -ENOMEM.
 */
int identity_find(const char *user, struct identity *ret_identity, struct error_text *ret_error);

/*
 * May workers read a file? Asked with their user and group for file access; not with their
 * supplementary groups, so that the answer may be no where it should be yes.
 */
bool identity_may_read(const struct identity *identity, const char *path);

/* Free what identity_find() allocated. All zero is allowed. */
void identity_fini(struct identity *identity);

#endif
