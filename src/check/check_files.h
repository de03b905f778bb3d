/* SPDX-License-Identifier: MIT */
/* Looks for the users, files and directories that a configuration names. */
#ifndef STICKY_CHECK_CHECK_FILES_H
#define STICKY_CHECK_CHECK_FILES_H

#include "config/config.h"
#include "config/origins.h"
#include "config/problems.h"

/*
 * Look for the users, files and directories that the options name, with the rights of this process.
 * Relative paths begin at its working directory.
 *
 * mistakes  gets problems for which `start` would refuse, or which keep workers from starting
 * notes     gets problems that may not exist on another machine, or for another user
 */
void check_files(const struct config *config, const struct origins *origins,
		 struct problems *mistakes, struct problems *notes);

/*
 * Look for the user and the seed that the file names. `start` refuses wrong ones in any case.
 *
 * mistakes  gets what is certainly wrong, in the file alone
 */
void check_before_start(const struct config *config, const struct origins *origins,
			struct problems *mistakes);

/*
 * Look for why a start has failed: the files and directories that the file names.
 * What this process may not read is passed over, as workers may have other rights.
 *
 * mistakes  gets what is certainly wrong, in the file alone
 */
void check_start(const struct config *config, const struct origins *origins,
		 struct problems *mistakes);

#endif
