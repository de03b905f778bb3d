/* SPDX-License-Identifier: MIT */
/*
 * Files that list the slot of each client, as lines of `ADDRESS SLOT`. If a file can't be opened or
 * written, the program ends: failure_exit().
 */
#ifndef TESTS_CLIENTS_MAPS_H
#define TESTS_CLIENTS_MAPS_H

#include <stdint.h>

#include "answers.h"
#include "sources.h"

/*
 * Write the slot of each client that got an answer.
 *
 * first    index of the first client's source: see sources_address()
 * clients  `count` clients, the first one with the index `first`
 */
void maps_write(const char *path, enum family family, uint32_t first, const struct client *clients,
		uint32_t count);

/*
 * Compare the clients with such a file. Returns how many were answered by another slot, or are not
 * in the file. Clients of the file that got no answer do not count.
 */
uint64_t maps_compare(const char *path, enum family family, uint32_t first,
		      const struct client *clients, uint32_t count);

#endif
