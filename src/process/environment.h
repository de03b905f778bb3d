/* SPDX-License-Identifier: MIT */
/* A worker's environment, which becomes an argument of execve(). */
#ifndef STICKY_PROCESS_ENVIRONMENT_H
#define STICKY_PROCESS_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error_text.h"
#include "rights/user_rights.h"

#define ENVIRONMENT_FILE_MAX (1 << 20) /* bytes */

struct environment {
	char **items; /* NAME=VALUE; items[count] is NULL */
	size_t count;
	size_t room;
};

/* Copy an environment, such as environ. Returns 0 or -ENOMEM. */
int environment_init(struct environment *environment, char *const *from);

/* Free the environment. All zero is allowed. */
void environment_fini(struct environment *environment);

/* Returns a variable's value, valid until the environment changes; NULL: it is not set. */
const char *environment_get(const struct environment *environment, const char *name);

/* Set a variable to a copy of a value. Returns 0 or -ENOMEM. */
int environment_set(struct environment *environment, const char *name, const char *value);

/* Remove a variable. It need not be set. */
void environment_unset(struct environment *environment, const char *name);

/*
 * Set a variable by "NAME=VALUE". {slot} and {name} in the value are replaced. Returns 0 or
 * -ENOMEM.
 */
int environment_assign(struct environment *environment, const char *assignment, unsigned int slot,
		       const char *name);

/*
 * Set the assignments of a file: see env_file.h.
 *
 * user       the user that the workers run as. If this user could let the path lead to any file,
 *            the file is opened with the user's rights. NULL: with the controller's own
 * ret_error  what is wrong with the file, with its name and the line; set only on an error
 *
 * Returns 0, -ENOMEM, -EBADMSG (a line of the file is wrong), -ENOTSUP (it is no regular file),
 * -EFBIG (it is larger than ENVIRONMENT_FILE_MAX), or another -errno.
 */
int environment_read_file(struct environment *environment, const char *path,
			  const struct user_rights *user, unsigned int slot, const char *name,
			  struct error_text *ret_error);

#endif
