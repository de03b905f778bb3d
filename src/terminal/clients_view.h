/* SPDX-License-Identifier: MIT */
/* Writes the clients with the most open connections as text, for a terminal of 80 columns. */
#ifndef STICKY_TERMINAL_CLIENTS_VIEW_H
#define STICKY_TERMINAL_CLIENTS_VIEW_H

#include <jansson.h>
#include <stdio.h>

/*
 * Write the text of `stickyctl clients`, and what the list leaves out.
 *
 * clients  the document of GET /v1/clients
 */
void clients_view(const json_t *clients, FILE *out);

#endif
