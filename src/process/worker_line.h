/* SPDX-License-Identifier: MIT */
/* The prefix of a line that a worker printed. Pure. */
#ifndef STICKY_PROCESS_WORKER_LINE_H
#define STICKY_PROCESS_WORKER_LINE_H

#include <stddef.h>

#include "common/line_ring.h"

#define WORKER_LINE_PREFIX_SIZE 48

/*
 * Write the prefix of a line: "[2] ", or "[2 gen 7] " while the slot has another worker, too.
 * Returns its length.
 */
size_t worker_line_prefix(const struct line_origin *origin, char prefix[WORKER_LINE_PREFIX_SIZE]);

#endif
