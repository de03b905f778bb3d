/* SPDX-License-Identifier: MIT */
/* Where the maps of an instance are pinned, so that they outlive its controller. */
#ifndef STICKY_STATE_PIN_DIR_H
#define STICKY_STATE_PIN_DIR_H

#include <stddef.h>

#include "common/error_text.h"

#define PINS_PATH_SIZE 256

/* The directory of an instance's pins, whether it exists or not. */
void pins_locate(const char *name, char ret_path[PINS_PATH_SIZE]);

/*
 * Make it, on a BPF file system: where none is mounted at /sys/fs/bpf one is, as systemd, ip(8)
 * and bpftool(8) do.
 *
 * ret_error  why not
 *
 * Returns 0 or -errno.
 */
int pins_make(const char *name, char ret_path[PINS_PATH_SIZE], struct error_text *ret_error);

/* Remove the directory, which is empty by then. */
void pins_remove(const char *path);

#endif
