/* SPDX-License-Identifier: MIT */
/* Replaces the controller's program by a newer one, in the same process. */
#ifndef STICKY_CONTROLLER_UPGRADE_H
#define STICKY_CONTROLLER_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "handoff/carried.h"

#define UPGRADE_PATH_SIZE 4096

/*
 * Find the path of the running program. This must be done at the start: when the file has been
 * replaced, the kernel does not give its path any more. Returns 0 or -errno.
 */
int upgrade_find_program(char ret_path[UPGRADE_PATH_SIZE]);

#define UPGRADE_KEPT_MAX 256

/* The descriptors and limits that the new program gets from this one. */
struct upgrade_legacy {
	int kept[UPGRADE_KEPT_MAX]; /* descriptors of listening sockets */
	uint32_t kept_count;
	struct carried carried; /* connections */
	struct rlimit nofile;	/* limits of open descriptors */
};

/*
 * Replace this program by the one at `path`. Returns only on failure: -errno.
 *
 * arguments  the words of the command line from "start" on
 */
int upgrade_execute(const char *path, char *const *arguments, const struct upgrade_legacy *legacy);

/*
 * Returns true if this program follows another one in the same process. Must be called before
 * upgrade_take_legacy().
 */
bool upgrade_has_begun(void);

/* Get what the previous program has passed on. Without one, ret_legacy is empty. */
void upgrade_take_legacy(struct upgrade_legacy *ret_legacy);

#endif
