/* SPDX-License-Identifier: MIT */
/* The exit codes of stickyctl, as its help and the README list them. */
#ifndef STICKY_COMMON_EXIT_CODE_H
#define STICKY_COMMON_EXIT_CODE_H

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_RUNNING = 3,
	EXIT_PARTLY = 4, /* a time limit passed, or only a part was done */
	EXIT_ALREADY_RUNNING = 5,
	EXIT_NOT_PERMITTED = 77,
	EXIT_BAD_CONFIG = 78
};

#endif
