/* SPDX-License-Identifier: MIT */
/*
 * The hash seed: drawn once, kept in <state-dir>/<name>/seed, so that clients keep their
 * workers over a restart, and secret, so that no client can choose a worker.
 */
#ifndef STICKY_STATE_SEED_H
#define STICKY_STATE_SEED_H

#include <stddef.h>
#include <stdint.h>

#include "common/error_text.h"
#include "sticky.h"

/*
 * Read the seed, or draw one and keep it.
 *
 * state_dir  --state-dir, or NULL: root /var/lib/sticky; else $XDG_STATE_HOME/sticky,
 *            ~/.local/state/sticky
 * ret_seed   STICKY_SEED_SIZE bytes
 * ret_error  what is wrong and what to do
 *
 * Returns 0; 1: drawn, but it could not be kept (ret_error says why): a warning; or
 *   -EINVAL  the file is not a seed of ours: truncated, or of another version
 *   -EPERM   others can read or write the file, or it is another user's
 *   other    it could not be read
 */
int seed_obtain(const char *state_dir, const char *name, uint8_t ret_seed[STICKY_SEED_SIZE],
		struct error_text *ret_error);

#endif
