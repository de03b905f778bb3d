// SPDX-License-Identifier: MIT
#include "config/setting.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error_text.h"
#include "common/prefixes.h"
#include "common/units.h"
#include "config/listen_address.h"

static int set_text(char **text, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

/*
 * Returns true if a text has no '/', does not begin with '.' or '-', and has no character that is
 * special to a shell.
 */
bool is_instance_name(const char *text)
{
	size_t length = strlen(text);

	return length >= 1 && length <= 64 && text[0] != '.' && text[0] != '-' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       length;
}

/* Returns the index of `value` in a list of words separated by spaces, or -1. */
static int find_choice(const char *choices, const char *value)
{
	size_t length = strlen(value);
	int index;

	for (index = 0; *choices; index++) {
		size_t word = strcspn(choices, " ");

		if (word == length && !memcmp(choices, value, word))
			return index;
		choices += word + (choices[word] == ' ');
	}
	return -1;
}

static int complain(struct error_text *ret_error, const char *origin, const char *value,
		    const char *what)
{
	error_text_set(ret_error, "%s: '%.200s' is not %s", origin, value, what);
	return -EINVAL;
}

static bool is_range(const char *text)
{
	struct sticky_prefix prefix;

	return text[0] == '@' ? text[1] != '\0' : prefix_parse(text, &prefix) == 0;
}

/*
 * Returns true for a token (RFC 9110, 5.6.2), as the name of a header field must be, that is not
 * longer than real names are.
 */
static bool is_header_name(const char *text)
{
	size_t length = strlen(text);

	return length >= 1 && length <= 63 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "!#$%&'*+-.^_`|~") == length;
}

static int set_number(const struct config_option *option, uint32_t *member, const char *value,
		      const char *origin, struct error_text *ret_error)
{
	char range[64];
	uint64_t number;

	if (parse_number(value, option->min, option->max, &number)) {
		snprintf(range, sizeof(range), "a whole number from %" PRIu64 " to %" PRIu64,
			 option->min, option->max);
		return complain(ret_error, origin, value, range);
	}
	*member = (uint32_t)number;
	return 0;
}

static int set_time(uint32_t *member, const char *value, const char *origin,
		    struct error_text *ret_error)
{
	uint64_t ms;

	if (parse_time_ms(value, &ms))
		return complain(ret_error, origin, value,
				"a time like 150ms, 30s, 5m or 2h (at most 30 days)");
	*member = (uint32_t)ms;
	return 0;
}

/*
 * Set a size. 0 switches the option off. A bare number is bytes, so a small one is most likely a
 * mistake: values below the least size are refused.
 */
static int set_size(const struct config_option *option, uint64_t *member, const char *value,
		    const char *origin, struct error_text *ret_error)
{
	uint64_t bytes;

	if (parse_size(value, &bytes))
		return complain(ret_error, origin, value, "a size like 64K, 512M or 2G");
	if (bytes && bytes < option->min)
		return complain(
			ret_error, origin, value,
			"so much as a process needs: a bare number is bytes; write 512M or 2G");
	*member = bytes;
	return 0;
}

static int set_rate(const struct config_option *option, struct rate *member, const char *value,
		    const char *origin, struct error_text *ret_error)
{
	char form[96];
	uint64_t count, period_ms;

	if (parse_rate(value, option->max, &count, &period_ms)) {
		snprintf(form, sizeof(form),
			 "a number and a time, like 5/1m, at most %" PRIu64 " in any time",
			 option->max);
		return complain(ret_error, origin, value, form);
	}
	*member = (struct rate){.count = (uint32_t)count, .period_ms = (uint32_t)period_ms};
	return 0;
}

static int set_choice(const struct config_option *option, uint32_t *member, const char *value,
		      const char *origin, struct error_text *ret_error)
{
	char words[128];
	int index = find_choice(option->choices, value);

	/* The name of a signal may begin with SIG. */
	if (index < 0 && !strncmp(value, "SIG", 3))
		index = find_choice(option->choices, value + 3);
	if (index < 0) {
		snprintf(words, sizeof(words), "one of: %s", option->choices);
		return complain(ret_error, origin, value, words);
	}
	*member = (uint32_t)index;
	return 0;
}

static int set(struct config *config, const struct config_option *option, const char *value,
	       const char *origin, struct error_text *ret_error)
{
	void *member = (char *)config + option->offset;
	const char *problem;

	switch (option->kind) {
	case KIND_NAME:
		if (!is_instance_name(value))
			return complain(ret_error, origin, value,
					"an instance's name: 1 to 64 letters, digits, '.', '_' or "
					"'-', not beginning with '.' or '-'");
		return set_text(member, value);
	case KIND_TEXT:
		if (!*value)
			return complain(ret_error, origin, value, option->doc.arg);
		return set_text(member, value);
	case KIND_ASSIGNMENTS:
		if (!is_assignment(value))
			return complain(ret_error, origin, value, "NAME=VALUE");
		return string_list_add(member, value);
	case KIND_FILES:
		return *value ? string_list_add(member, value)
			      : complain(ret_error, origin, value, "a file");
	case KIND_ADDRESSES:
		problem = listen_address_problem(value);
		return problem ? complain(ret_error, origin, value, problem)
			       : string_list_override(member, value);
	case KIND_RANGES:
		if (!is_range(value))
			return complain(ret_error, origin, value,
					"a range like 203.0.113.0/24 or 2001:db8::/32, nor @FILE");
		return string_list_override(member, value);
	case KIND_WORKER:
		if (worker_mode_parse(value) == WORKER_MODE_COUNT)
			return complain(ret_error, origin, value,
					"one of: auto activation bind node node:sticky-listen "
					"node:sticky-cluster[,prefix=P]");
		return set_text(member, value);
	case KIND_ADMIN:
		problem = admin_address_problem(value);
		return problem ? complain(ret_error, origin, value, problem)
			       : set_text(member, value);
	case KIND_TOKEN:
		if (!is_header_name(value))
			return complain(ret_error, origin, value, "a header's name");
		return set_text(member, value);
	case KIND_NUMBER:
		return set_number(option, member, value, origin, ret_error);
	case KIND_TIME:
		return set_time(member, value, origin, ret_error);
	case KIND_SIZE:
		return set_size(option, member, value, origin, ret_error);
	case KIND_RATE:
		return set_rate(option, member, value, origin, ret_error);
	case KIND_CHOICE:
	case KIND_FLAG:
		return set_choice(option, member, value, origin, ret_error);
	}
	return -EINVAL;
}

int setting_apply(struct config *config, const struct config_option *option, const char *value,
		  const char *origin, struct error_text *ret_error)
{
	int error = set(config, option, value, origin, ret_error);

	if (error == -ENOMEM)
		error_text_set(ret_error, "%s: out of memory", origin);
	return error;
}

int config_set(struct config *config, int key, const char *value, const char *origin,
	       struct error_text *ret_error)
{
	const struct config_option *option = option_by_key(key);

	if (option)
		return setting_apply(config, option, value, origin, ret_error);
	error_text_set(ret_error, "%s: no such option", origin);
	return -EINVAL;
}
