/* SPDX-License-Identifier: MIT */
/* Values as users write and read them: numbers, times, sizes, assignments. Pure. */
#ifndef STICKY_COMMON_UNITS_H
#define STICKY_COMMON_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A whole number in decimal, min to max. Returns 0, -EINVAL (not one) or -ERANGE. */
int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/* "150ms", "30s", "5m", "2h"; a bare number is milliseconds. Whole numbers only.
 * At most 30 days. Returns 0, -EINVAL or -ERANGE. */
int parse_time_ms(const char *text, uint64_t *ret_ms);

/* "512M", "2G", "64K"; a bare number is bytes. Returns 0, -EINVAL or -ERANGE. */
int parse_size(const char *text, uint64_t *ret_bytes);

/* "5/1m": a number, 0 to max, and a time above 0. Returns 0, -EINVAL or -ERANGE. */
int parse_rate(const char *text, uint64_t max, uint64_t *ret_count, uint64_t *ret_period_ms);

/* "NAME=VALUE", with a name of letters, digits and '_' that does not begin with a digit? */
bool is_assignment(const char *text);

#define DURATION_TEXT_SIZE 32

/* "12s", "3m12s", "2h05m", "9d4h". Writes at most DURATION_TEXT_SIZE bytes. */
void format_duration(uint64_t ms, char ret_text[DURATION_TEXT_SIZE]);

/* "812K", "14M", "12G", rounded down. The same size. */
void format_bytes(uint64_t bytes, char ret_text[DURATION_TEXT_SIZE]);

#endif
