// SPDX-License-Identifier: MIT
#include "config/setting_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Write a number in the largest unit in which it is whole. */
static void write_in_units(uint64_t number, const struct unit *units, size_t size, char *ret_text)
{
	while (number % units->factor)
		units++;
	snprintf(ret_text, size, "%" PRIu64 "%s", number / units->factor,
		 number ? units->name : "");
}

static void write_time(uint32_t ms, size_t size, char *ret_text)
{
	static const struct unit units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

	write_in_units(ms, units, size, ret_text);
}

static void write_size(uint64_t bytes, size_t size, char *ret_text)
{
	static const struct unit units[] = {
		{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}};

	write_in_units(bytes, units, size, ret_text);
}

static void write_choice(const char *choices, uint32_t index, size_t size, char *ret_text)
{
	while (index--)
		choices += strcspn(choices, " ") + 1;
	snprintf(ret_text, size, "%.*s", (int)strcspn(choices, " "), choices);
}

static bool write_rate(const struct rate *rate, size_t size, char *ret_text)
{
	char period[32];

	if (!rate->count && !rate->period_ms)
		return false;
	write_time(rate->period_ms, sizeof(period), period);
	snprintf(ret_text, size, "%" PRIu32 "/%s", rate->count, period);
	return true;
}

static bool write_text(const char *text, size_t size, char *ret_text)
{
	if (text)
		snprintf(ret_text, size, "%s", text);
	return text != NULL;
}

/*
 * Write a number. Returns false for one that the user can't give, such as 0: stickyctl chooses the
 * value.
 */
static bool write_number(const struct config_option *option, uint32_t number, size_t size,
			 char *ret_text)
{
	if (number < option->min)
		return false;
	snprintf(ret_text, size, "%" PRIu32, number);
	return true;
}

bool setting_text(const struct config *config, const struct config_option *option, size_t size,
		  char *ret_text)
{
	const void *member = (const char *)config + option->offset;

	switch (option->kind) {
	case KIND_NUMBER:
		return write_number(option, *(const uint32_t *)member, size, ret_text);
	case KIND_TIME:
		if (*(const uint32_t *)member == TERM_AFTER_DEFAULT)
			return false;
		write_time(*(const uint32_t *)member, size, ret_text);
		return true;
	case KIND_SIZE:
		write_size(*(const uint64_t *)member, size, ret_text);
		return true;
	case KIND_RATE:
		return write_rate(member, size, ret_text);
	case KIND_CHOICE:
		write_choice(option->choices, *(const uint32_t *)member, size, ret_text);
		return true;
	default:
		return option_is_text(option) && write_text(*(char *const *)member, size, ret_text);
	}
}

const struct string_list *setting_list(const struct config *config,
				       const struct config_option *option)
{
	return (const struct string_list *)(const void *)((const char *)config + option->offset);
}

/* The brackets may contain others, as in "(DIR (or another))". */
void setting_default(const struct config_option *option, size_t size, char *ret_text)
{
	const char *doc = option->doc.doc, *end = doc + strlen(doc), *begin;
	int depth = 0;

	ret_text[0] = '\0';
	if (end == doc || end[-1] != ')')
		return;
	for (begin = end; begin > doc;) {
		begin--;
		depth += *begin == ')' ? 1 : *begin == '(' ? -1 : 0;
		if (!depth)
			break;
	}
	snprintf(ret_text, size, "%.*s", (int)(end - begin - 2), begin + 1);
}
