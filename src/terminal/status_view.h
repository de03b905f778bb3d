/* SPDX-License-Identifier: MIT */
/* Writes the status document as text, for a terminal of 80 columns. */
#ifndef STICKY_TERMINAL_STATUS_VIEW_H
#define STICKY_TERMINAL_STATUS_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * Write the text of `stickyctl status`. Problems come first, with the next command to type.
 *
 * status  the document of GET /v1/status
 * colour  use the colours of a terminal
 */
void status_view(const json_t *status, bool colour, FILE *out);

/* Returns true if the instance runs, and each slot that should have a worker has a ready one. */
bool status_is_ready(const json_t *status);

#endif
