/* SPDX-License-Identifier: MIT */
/*
 * Files of which client has which slot, a line `ADDRESS SLOT` for each. One that can't be
 * opened, or written, ends the program: failure_exit().
 */
#ifndef TESTS_CLIENTS_MAPS_H
#define TESTS_CLIENTS_MAPS_H

#include <stdint.h>

#include "answers.h"
#include "sources.h"

/* clients  by the index of their source; those without an answer are left out */
void maps_write(const char *path, enum family family, const struct client *clients, uint32_t count);

/*
 * Compare with such a file. Returns how many were answered by another slot, or are not in the
 * file. Those that are in it and were not answered do not count.
 */
uint64_t maps_compare(const char *path, enum family family, const struct client *clients,
		      uint32_t count);

#endif
