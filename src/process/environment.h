/* SPDX-License-Identifier: MIT */
/* A worker's environment, which becomes an argument of execve(). */
#ifndef STICKY_PROCESS_ENVIRONMENT_H
#define STICKY_PROCESS_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

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
 * Set "NAME=VALUE"; {slot} and {name} in the value are replaced.
 * Returns 0 or -ENOMEM.
 */
int environment_assign(struct environment *environment, const char *assignment, unsigned int slot,
		       const char *name);

/*
 * Set the assignments of a file, which has lines of NAME=VALUE. Empty lines and those that begin
 * with '#' are ignored. A value in single or double quotes loses them. Returns 0, -ENOMEM, -EINVAL
 * (another kind of line), or another -errno if the file can't be read.
 */
int environment_read_file(struct environment *environment, const char *path, unsigned int slot,
			  const char *name);

#endif
