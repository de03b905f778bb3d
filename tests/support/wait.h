/* SPDX-License-Identifier: MIT */
/* Waiting for a condition, never for luck: with a deadline that only a fault reaches. */
#ifndef TESTS_SUPPORT_WAIT_H
#define TESTS_SUPPORT_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A time as this machine needs it for what takes so long on an ordinary one: longer where
 * tests/run.py found the machine to be slow (STICKY_TEST_SLOWNESS).
 */
int wait_scaled_ms(int ms);

/* The monotonic clock. */
uint64_t wait_now_ms(void);

/* Long enough for a loaded machine under a sanitizer. */
#define WAIT_DEADLINE_MS wait_scaled_ms(20000)

/* Wait until a descriptor is readable (or hung up). Returns 0 or -ETIMEDOUT. */
int wait_readable(int fd);

/* The same for a connect(2) that is under way. Returns 0, -ETIMEDOUT, or what became of it. */
int wait_connected(int fd);

typedef bool wait_condition_fn(void *context);

/* Ask until a condition holds. Returns 0 or -ETIMEDOUT. For what no descriptor tells. */
int wait_until(wait_condition_fn *condition, void *context);

#endif
