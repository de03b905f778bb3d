/* SPDX-License-Identifier: MIT */
/* The resources that the processes of one worker use. */
#ifndef STICKY_PROCFS_RUN_USAGE_H
#define STICKY_PROCFS_RUN_USAGE_H

#include <stdint.h>

#define RUN_USAGE_PATH_SIZE 256

/* Measured at one moment. A value that could not be read is 0. */
struct run_usage {
	uint64_t rss_bytes;
	uint64_t cpu_ms;
	uint32_t connections;
	char cwd[RUN_USAGE_PATH_SIZE]; /* working directory; "": unknown */
};

#endif
