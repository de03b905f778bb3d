/* SPDX-License-Identifier: MIT */
/* Parses the values of options. A wrong value ends the program: failure_usage(). */
#ifndef TESTS_CLIENTS_VALUES_H
#define TESTS_CLIENTS_VALUES_H

#include <stdint.h>
#include <sys/socket.h>

#include "sources.h"

/* Parse a number above 0, with or without a fraction. */
double values_positive(const char *text);

/* Parse a whole number from 1 to the limit. */
uint32_t values_count(const char *text, unsigned long limit);

/* Parse an IPv4 address. Returns the index for which sources_address() makes that address. */
uint32_t values_first(const char *text);

/* Parse "4", "6" or "mapped". */
enum family values_family(const char *text);

/*
 * Parse "HOST:PORT" or "[HOST]:PORT", numbers only. The family decides which hosts are valid: for
 * FAMILY_MAPPED the host is written as IPv4. Returns the address's length.
 */
socklen_t values_target(const char *text, enum family family, struct sockaddr_storage *ret_address);

#endif
