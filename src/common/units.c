// SPDX-License-Identifier: MIT
#include "common/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TIME_MAX_MS (30ull * 24 * 3600 * 1000)

/* Read the digits at the start of a text. Returns their number, or -ERANGE. */
static int read_digits(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;
	int digits = 0;

	for (; text[digits] >= '0' && text[digits] <= '9'; digits++) {
		if (digits == 18)
			return -ERANGE;
		value = value * 10 + (uint64_t)(text[digits] - '0');
	}
	*ret_value = value;
	return digits;
}

int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	uint64_t value;
	int digits = read_digits(text, &value);

	if (digits < 0)
		return digits;
	if (digits == 0 || text[digits])
		return -EINVAL;
	if (value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int parse_time_ms(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *suffix;
		uint64_t ms;
	} units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	uint64_t value;
	int digits = read_digits(text, &value);
	size_t i;

	if (digits < 0)
		return digits;
	if (digits == 0)
		return -EINVAL;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text + digits, units[i].suffix))
			continue;
		if (value > TIME_MAX_MS / units[i].ms)
			return -ERANGE;
		*ret_ms = value * units[i].ms;
		return 0;
	}
	return -EINVAL;
}

int parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char suffixes[] = "KMGT";
	uint64_t value;
	int digits = read_digits(text, &value);
	const char *suffix;
	unsigned int shift = 0;

	if (digits < 0)
		return digits;
	if (digits == 0)
		return -EINVAL;
	if (text[digits]) {
		suffix = strchr(suffixes, text[digits]);
		if (!suffix || text[digits + 1])
			return -EINVAL;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
	}
	if (value > UINT64_MAX >> (shift + 1))
		return -ERANGE;
	*ret_bytes = value << shift;
	return 0;
}

int parse_rate(const char *text, uint64_t max, uint64_t *ret_count, uint64_t *ret_period_ms)
{
	uint64_t count, period_ms;
	int digits = read_digits(text, &count), error;

	if (digits < 0)
		return digits;
	if (digits == 0 || text[digits] != '/')
		return -EINVAL;
	error = parse_time_ms(text + digits + 1, &period_ms);
	if (error)
		return error;
	if (count > max || !period_ms)
		return -ERANGE;
	*ret_count = count;
	*ret_period_ms = period_ms;
	return 0;
}

bool is_assignment(const char *text)
{
	const char *equals = strchr(text, '=');
	const char *c;

	if (!equals || equals == text || isdigit((unsigned char)text[0]))
		return false;
	for (c = text; c < equals; c++)
		if (!isalnum((unsigned char)*c) && *c != '_')
			return false;
	return true;
}

void format_duration(uint64_t ms, char ret_text[DURATION_TEXT_SIZE])
{
	uint64_t s = ms / 1000;

	if (ms < 1000)
		snprintf(ret_text, DURATION_TEXT_SIZE, "%" PRIu64 "ms", ms);
	else if (s < 60)
		snprintf(ret_text, DURATION_TEXT_SIZE, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(ret_text, DURATION_TEXT_SIZE, "%" PRIu64 "m%02" PRIu64 "s", s / 60,
			 s % 60);
	else if (s < 86400)
		snprintf(ret_text, DURATION_TEXT_SIZE, "%" PRIu64 "h%02" PRIu64 "m", s / 3600,
			 s / 60 % 60);
	else
		snprintf(ret_text, DURATION_TEXT_SIZE, "%" PRIu64 "d%" PRIu64 "h", s / 86400,
			 s / 3600 % 24);
}

void format_bytes(uint64_t bytes, char ret_text[DURATION_TEXT_SIZE])
{
	if (bytes < 10 * 1024 * 1024)
		snprintf(ret_text, DURATION_TEXT_SIZE, "%" PRIu64 "K", bytes / 1024);
	else if (bytes < 10240ull * 1024 * 1024)
		snprintf(ret_text, DURATION_TEXT_SIZE, "%" PRIu64 "M", bytes / 1024 / 1024);
	else
		snprintf(ret_text, DURATION_TEXT_SIZE, "%" PRIu64 "G", bytes >> 30);
}

void format_count(uint64_t count, char ret_text[DURATION_TEXT_SIZE])
{
	static const char units[] = {'K', 'M', 'G', 'T', 'P', 'E'};
	uint64_t unit = 1000;
	size_t i;

	if (count < 100000) {
		snprintf(ret_text, DURATION_TEXT_SIZE, "%" PRIu64, count);
		return;
	}
	for (i = 0; count / unit >= 1000; i++)
		unit *= 1000;
	if (count / unit < 10)
		snprintf(ret_text, DURATION_TEXT_SIZE, "%" PRIu64 ".%" PRIu64 "%c", count / unit,
			 count / (unit / 10) % 10, units[i]);
	else
		snprintf(ret_text, DURATION_TEXT_SIZE, "%" PRIu64 "%c", count / unit, units[i]);
}
