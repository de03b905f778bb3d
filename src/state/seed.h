/* SPDX-License-Identifier: MIT */
/*
 * The hash seed is drawn once and kept in <state-dir>/<name>/seed, so that clients keep their
 * workers over a restart. It is secret, so that no client can choose a worker.
 */
#ifndef STICKY_STATE_SEED_H
#define STICKY_STATE_SEED_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error_text.h"
#include "sticky.h"

/*
 * Write the directory of an instance's seed. It need not exist.
 *
 * state_dir  as for seed_obtain()
 *
 * Returns 0, -ENOENT (no HOME is set) or -ENAMETOOLONG.
 */
int seed_locate(const char *state_dir, const char *name, char ret_dir[PATH_MAX]);

/*
 * Read the seed. If there is none, draw one and keep it.
 *
 * state_dir  value of --state-dir, or NULL for the default: /var/lib/sticky for root; for others
 *            $XDG_STATE_HOME/sticky, or ~/.local/state/sticky
 * ret_seed   STICKY_SEED_SIZE bytes
 * ret_error  what is wrong, and what the user can do about it
 *
 * Returns 0, or 1: a seed was drawn, but could not be kept, which is a warning (ret_error says
 * why); or
 *   -EINVAL  the file is not a seed: it is truncated, or of another version
 *   -EPERM   others can read or write the file, or it belongs to another user
 *   other    the file could not be read
 */
int seed_obtain(const char *state_dir, const char *name, uint8_t ret_seed[STICKY_SEED_SIZE],
		struct error_text *ret_error);

/*
 * Read the seed of --seed-file, which several machines share. If there is none, none is drawn, as
 * the machines must agree on it.
 *
 * path       the file, or a symbolic link to it. Its group may read it
 * ret_error  as above
 *
 * Returns 0, or -EINVAL, -EPERM or another -errno, as above.
 */
int seed_read(const char *path, uint8_t ret_seed[STICKY_SEED_SIZE], struct error_text *ret_error);

#endif
