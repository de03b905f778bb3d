/* SPDX-License-Identifier: MIT */
/* Waiting for a condition, with a deadline that is reached only if there is a fault. */
#ifndef TESTS_SUPPORT_WAIT_H
#define TESTS_SUPPORT_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Returns how long something takes on this machine that takes `ms` on an ordinary one. The result
 * is longer if tests/run.py found the machine to be slow (STICKY_TEST_SLOWNESS).
 */
int wait_scaled_ms(int ms);

/* The time of the monotonic clock, in ms. */
uint64_t wait_now_ms(void);

/* long enough for a loaded machine under a sanitizer */
#define WAIT_DEADLINE_MS wait_scaled_ms(20000)

/* Wait until a descriptor is readable (or hung up). Returns 0 or -ETIMEDOUT. */
int wait_readable(int fd);

/* Wait until a connect(2) that is under way is complete. Returns 0, -ETIMEDOUT, or its error. */
int wait_connected(int fd);

typedef bool wait_condition_fn(void *context);

/*
 * Evaluate a condition again and again until it is true. Returns 0 or -ETIMEDOUT. Use it only if no
 * descriptor reports the event.
 */
int wait_until(wait_condition_fn *condition, void *context);

#endif
