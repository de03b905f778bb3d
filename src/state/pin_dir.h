/* SPDX-License-Identifier: MIT */
/*
 * The directory in which the maps of an instance are pinned, so that they outlive its controller.
 * Each start makes a directory of its own, NAME-ID. The ID is a random number that the state file
 * keeps. Instances that have the same name, in other run directories or containers, thus share
 * nothing.
 */
#ifndef STICKY_STATE_PIN_DIR_H
#define STICKY_STATE_PIN_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error_text.h"

#define PINS_PATH_SIZE 256

/* Write the path of an instance's directory of pins. The directory need not exist. */
void pins_locate(const char *name, uint32_t id, char ret_path[PINS_PATH_SIZE]);

/*
 * Make a new directory on the BPF file system at /sys/fs/bpf. If none is mounted there, one is
 * mounted, as systemd, ip(8) and bpftool(8) do.
 *
 * ret_id     the directory's number, not 0
 * ret_error  why it could not be made
 *
 * Returns 0 or -errno.
 */
int pins_make(const char *name, uint32_t *ret_id, char ret_path[PINS_PATH_SIZE],
	      struct error_text *ret_error);

/*
 * Returns true if this process has another BPF file system than PID 1. `ip netns exec`, for
 * example, makes a mount namespace with a /sys of its own: maps that are pinned there can be taken
 * over only from that namespace.
 *
 * Returns false if that is not known.
 */
bool pins_are_private(void);

/* Remove the directory and the pins in it. An empty path is allowed. */
void pins_remove(const char *path);

#endif
