/* SPDX-License-Identifier: MIT */
/* All readings of the system's clocks. */
#ifndef STICKY_COMMON_CLOCK_H
#define STICKY_COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

/*
 * Returns the time of a clock that never goes back, in milliseconds since some moment in the past.
 */
uint64_t clock_ms(void);

/* Returns the time of the same clock, CLOCK_MONOTONIC, in microseconds. */
uint64_t clock_monotonic_us(void);

/*
 * Returns the time since the system was started, in milliseconds. It includes the time in which the
 * system was suspended, as the start times of processes in /proc do.
 */
uint64_t clock_boot_ms(void);

/*
 * Read the CPU time of a thread or process, in milliseconds.
 *
 * clock  CLOCK_THREAD_CPUTIME_ID, or a clock of pthread_getcpuclockid()
 *
 * Returns 0 or -errno.
 */
int clock_cpu_ms(clockid_t clock, uint64_t *ret_ms);

#define CLOCK_UTC_SIZE 32

/*
 * Write the present time in UTC: 2026-11-29T08:15:00.250Z.
 *
 * digits  of the fraction of a second, 1 to 9
 */
void clock_utc(int digits, char ret_text[CLOCK_UTC_SIZE]);

/* Returns the present time in UTC, in milliseconds since 1970. */
uint64_t clock_utc_ms(void);

/* Write a time of clock_utc_ms() in the form of clock_utc(), with three digits of the fraction. */
void clock_format_utc(uint64_t time_ms, char ret_text[CLOCK_UTC_SIZE]);

#endif
