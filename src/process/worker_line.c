// SPDX-License-Identifier: MIT
#include "process/worker_line.h"

#include <inttypes.h>
#include <stdio.h>

size_t worker_line_prefix(const struct line_origin *origin, char prefix[WORKER_LINE_PREFIX_SIZE])
{
	int length = origin->shows_generation
			     ? snprintf(prefix, WORKER_LINE_PREFIX_SIZE, "[%u gen %" PRIu64 "] ",
					origin->slot, origin->generation)
			     : snprintf(prefix, WORKER_LINE_PREFIX_SIZE, "[%u] ", origin->slot);

	return (size_t)length;
}
