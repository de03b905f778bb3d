/* SPDX-License-Identifier: MIT */
/* The controller's program is replaced by a newer one, in the same process. */
#ifndef STICKY_CONTROLLER_UPGRADE_H
#define STICKY_CONTROLLER_UPGRADE_H

#include <stddef.h>
#include <stdint.h>

#define UPGRADE_PATH_SIZE 4096

/*
 * Where our program is, before it is replaced: its file has another content later, or none.
 * Returns 0 or -errno.
 */
int upgrade_find_program(char ret_path[UPGRADE_PATH_SIZE]);

/*
 * Does the program that is there by now run? It is asked for its version, for 5 s at most.
 *
 * ret_error  why not, error_size bytes
 *
 * Returns 0 or -errno.
 */
int upgrade_check(const char *path, char *ret_error, size_t error_size);

#define UPGRADE_KEPT_MAX 256

/*
 * Become it. Returns only where that fails: -errno.
 *
 * arguments  from "start" on
 * kept       descriptors that it is to have, `count` of them, at most UPGRADE_KEPT_MAX
 */
int upgrade_execute(const char *path, char *const *arguments, const int *kept, uint32_t count);

/* What the previous program left by `kept`. Returns how many, at most UPGRADE_KEPT_MAX. */
uint32_t upgrade_take_kept(int ret_kept[UPGRADE_KEPT_MAX]);

#endif
