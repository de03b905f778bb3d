/* SPDX-License-Identifier: MIT */
/* All times are those of one clock: CLOCK_MONOTONIC, in nanoseconds. */
#ifndef TESTS_CLIENTS_CLOCK_H
#define TESTS_CLIENTS_CLOCK_H

#include <stdint.h>

#define SECOND_NS 1000000000LL

int64_t clock_now_ns(void);

/* Convert an option's number of seconds to nanoseconds. */
int64_t clock_seconds_ns(double seconds);

#endif
