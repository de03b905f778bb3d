/* SPDX-License-Identifier: MIT */
/* Where the maps of an instance are pinned, so that they outlive its controller. */
#ifndef STICKY_STATE_PIN_DIR_H
#define STICKY_STATE_PIN_DIR_H

#include <stddef.h>

#define PINS_PATH_SIZE 256

/* The directory of an instance's pins, whether it exists or not. */
void pins_locate(const char *name, char ret_path[PINS_PATH_SIZE]);

/*
 * Make it, on a BPF file system: where none is mounted at /sys/fs/bpf one is, as systemd, ip(8)
 * and bpftool(8) do.
 *
 * ret_error  why not, error_size bytes
 *
 * Returns 0 or -errno.
 */
int pins_make(const char *name, char ret_path[PINS_PATH_SIZE], char *ret_error, size_t error_size);

/* Remove the directory with the pins that a controller left when it was killed. */
void pins_clear(const char *path);

/* Remove the directory, which is empty by then. */
void pins_remove(const char *path);

#endif
