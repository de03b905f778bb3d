/* SPDX-License-Identifier: MIT */
/* Describes how a slot's last worker ended, as `last_exit` of the status document. */
#ifndef STICKY_API_EXIT_JSON_H
#define STICKY_API_EXIT_JSON_H

#include <jansson.h>

#include "common/line_ring.h"
#include "supervise/slot_view.h"

/*
 * Returns null if no worker has ended, else: code, signal, text, hint (what to do about it, or
 * null), uptime_ms, generation, and last_line (see last_words.h, or null).
 */
json_t *exit_json(const struct slot_view *view, const struct line_ring *ring, uint32_t slot);

#endif
