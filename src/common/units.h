/* SPDX-License-Identifier: MIT */
/* Values as users write and read them: numbers, times, sizes, assignments. Pure. */
#ifndef STICKY_COMMON_UNITS_H
#define STICKY_COMMON_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Read a whole decimal number from min to max. Returns 0, -EINVAL (not a number) or -ERANGE. */
int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/*
 * Read a time, such as "150ms", "30s", "5m" or "2h", in whole numbers. A bare number is
 * milliseconds. At most 30 days. Returns 0, -EINVAL or -ERANGE.
 */
int parse_time_ms(const char *text, uint64_t *ret_ms);

/* Read a size: "512M", "2G", "64K"; a bare number is bytes. Returns 0, -EINVAL or -ERANGE. */
int parse_size(const char *text, uint64_t *ret_bytes);

/*
 * Read a rate, such as "5/1m": a number from 0 to max, and a time above 0. Returns 0, -EINVAL or
 * -ERANGE.
 */
int parse_rate(const char *text, uint64_t max, uint64_t *ret_count, uint64_t *ret_period_ms);

/*
 * Returns true for "NAME=VALUE", with a NAME of letters, digits and '_' that does not begin with a
 * digit.
 */
bool is_assignment(const char *text);

#define DURATION_TEXT_SIZE 32

/* Write a time as "12s", "3m12s", "2h05m" or "9d4h". */
void format_duration(uint64_t ms, char ret_text[DURATION_TEXT_SIZE]);

/* Write a size as "812K", "14M" or "12G", rounded down. */
void format_bytes(uint64_t bytes, char ret_text[DURATION_TEXT_SIZE]);

/* Write a number in at most 5 characters: "12345", "123K", "9.8M", "12G", rounded down. */
void format_count(uint64_t count, char ret_text[DURATION_TEXT_SIZE]);

#endif
