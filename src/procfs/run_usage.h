/* SPDX-License-Identifier: MIT */
/* What the processes of one worker use. */
#ifndef STICKY_PROCFS_RUN_USAGE_H
#define STICKY_PROCFS_RUN_USAGE_H

#include <stdint.h>

#define RUN_USAGE_PATH_SIZE 256

/* At one moment; 0 where it could not be read. */
struct run_usage {
	uint64_t rss_bytes;
	uint64_t cpu_ms;
	uint32_t connections;
	char cwd[RUN_USAGE_PATH_SIZE]; /* "": unknown */
};

#endif
