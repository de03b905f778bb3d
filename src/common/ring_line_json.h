/* SPDX-License-Identifier: MIT */
/* A line that a worker printed as JSON, for the log and for `stickyctl logs`. Pure. */
#ifndef STICKY_COMMON_RING_LINE_JSON_H
#define STICKY_COMMON_RING_LINE_JSON_H

#include <jansson.h>

#include "common/line_ring.h"

/*
 * Make the JSON object of a line: time, event, slot, generation, pid, stream, line, and where it is
 * true, "beside" (another worker of the slot was there, too), "cut" (its end is missing) and "part"
 * (it has no line end). Bytes that are no UTF-8 become U+FFFD.
 *
 * Returns NULL if memory is short.
 */
json_t *ring_line_json(const struct ring_line *line);

/*
 * Make a JSON string of bytes of a line. Bytes that are no UTF-8 become U+FFFD. Returns NULL if
 * memory is short.
 */
json_t *ring_text_json(const char *bytes, size_t length);

#endif
