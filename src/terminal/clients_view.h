/* SPDX-License-Identifier: MIT */
/* The clients with the most open connections as text, for a terminal of 80 columns. */
#ifndef STICKY_TERMINAL_CLIENTS_VIEW_H
#define STICKY_TERMINAL_CLIENTS_VIEW_H

#include <jansson.h>
#include <stdio.h>

/*
 * Write what `clients` shows, and what it cannot see.
 *
 * clients  the document of GET /v1/clients
 */
void clients_view(const json_t *clients, FILE *out);

#endif
