/* SPDX-License-Identifier: MIT */
/* The values of options, read from their text. A wrong one ends the program: failure_usage(). */
#ifndef TESTS_CLIENTS_VALUES_H
#define TESTS_CLIENTS_VALUES_H

#include <stdint.h>
#include <sys/socket.h>

#include "sources.h"

/* A number above 0, of seconds or of anything else, with a fraction or without. */
double values_positive(const char *text);

/* A whole number from 1 to the limit. */
uint32_t values_count(const char *text, unsigned long limit);

/* An IPv4 address, as the index that sources_address() makes that address of. */
uint32_t values_first(const char *text);

/* "4", "6" or "mapped". */
enum family values_family(const char *text);

/*
 * "HOST:PORT" or "[HOST]:PORT", numbers only. The family decides how the host is read: that
 * of FAMILY_MAPPED is written as IPv4. Returns the address's length.
 */
socklen_t values_target(const char *text, enum family family, struct sockaddr_storage *ret_address);

#endif
