/* SPDX-License-Identifier: MIT */
/*
 * Where the maps of an instance are pinned, so that they outlive its controller: a directory of its
 * own for each start, NAME-ID. The ID is a random number that the state file keeps. Instances of
 * one name, in other run directories or containers, thus share nothing.
 */
#ifndef STICKY_STATE_PIN_DIR_H
#define STICKY_STATE_PIN_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error_text.h"

#define PINS_PATH_SIZE 256

/* The directory of an instance's pins, whether it exists or not. */
void pins_locate(const char *name, uint32_t id, char ret_path[PINS_PATH_SIZE]);

/*
 * Make a new one, on a BPF file system: where none is mounted at /sys/fs/bpf one is, as systemd,
 * ip(8) and bpftool(8) do.
 *
 * ret_id     its number, not 0
 * ret_error  why not
 *
 * Returns 0 or -errno.
 */
int pins_make(const char *name, uint32_t *ret_id, char ret_path[PINS_PATH_SIZE],
	      struct error_text *ret_error);

/*
 * Is the BPF file system one that other processes of this machine do not see? `ip netns exec` makes
 * a mount namespace with a /sys of its own: what is pinned there can be taken over only from there.
 *
 * Returns false where that can't be told.
 */
bool pins_are_private(void);

/* Remove the directory with what is in it. An empty path is allowed. */
void pins_remove(const char *path);

#endif
