// SPDX-License-Identifier: MIT
/*
 * Replaces the running configuration by a new one, and names the options that keep their old
 * values.
 */
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config/options.h"
#include "common/fnv1a.h"

static size_t size_of(const struct config_option *option)
{
	switch (option->kind) {
	case KIND_TEXT:
	case KIND_NAME:
	case KIND_TOKEN:
	case KIND_WORKER:
	case KIND_ADMIN:
		return sizeof(char *);
	case KIND_ADDRESSES:
	case KIND_RANGES:
	case KIND_FILES:
	case KIND_ASSIGNMENTS:
		return sizeof(struct string_list);
	case KIND_SIZE:
		return sizeof(uint64_t);
	case KIND_RATE:
		return sizeof(struct rate);
	case KIND_NUMBER:
	case KIND_TIME:
	case KIND_CHOICE:
	case KIND_FLAG:
		break;
	}
	return sizeof(uint32_t);
}

static uint64_t id_of(const struct config_option *option, const struct config *config)
{
	const void *member = (const char *)config + option->offset;

	if (option_is_list(option))
		return fnv1a_add_list(TEXTID_BEGIN, member);
	if (option_is_text(option))
		return fnv1a_add(TEXTID_BEGIN, *(char *const *)member);
	return fnv1a_add_bytes(TEXTID_BEGIN, member, size_of(option));
}

static void add_name(const char *name, size_t size, char *names)
{
	size_t length = strlen(names);

	snprintf(names + length, size - length, "%s%s", length ? " " : "", name);
}

static void swap(void *a, void *b, size_t size)
{
	char kept[sizeof(struct config)];

	memcpy(kept, a, size);
	memcpy(a, b, size);
	memcpy(b, kept, size);
}

void config_replace(struct config *running, struct config *next, size_t size, char *ret_names)
{
	const struct config_option *option;
	size_t i;

	ret_names[0] = '\0';
	for (i = 0; (option = option_at(i)); i++) {
		if (option->change == CHANGES_AT_RELOAD)
			continue;
		if (id_of(option, running) != id_of(option, next))
			add_name(option->doc.name, size, ret_names);
		swap((char *)running + option->offset, (char *)next + option->offset,
		     size_of(option));
	}
	/*
	 * Whether workers are processes or threads of this process is decided at the start, and
	 * does not change.
	 */
	if (!running->command != !next->command) {
		add_name("command", size, ret_names);
		swap(&running->command, &next->command, sizeof(next->command));
		swap(&running->file_command, &next->file_command, sizeof(next->file_command));
	}
	swap(&running->runs_node, &next->runs_node, sizeof(next->runs_node));
	swap(running, next, sizeof(*next));
	config_fini(next);
}

/* Returns the n-th option that only a new start can change; NULL behind the last one. */
static const struct config_option *fixed_option(size_t index)
{
	const struct config_option *option;
	size_t i;

	for (i = 0; (option = option_at(i)); i++)
		if (option->change == CHANGES_AT_START && !option->doc.every_command && !index--)
			return option;
	return NULL;
}

void config_fixed_ids(const struct config *config, uint64_t ret_ids[CONFIG_FIXED_MAX])
{
	const struct config_option *option;
	size_t i;

	memset(ret_ids, 0, CONFIG_FIXED_MAX * sizeof(*ret_ids));
	for (i = 0; i < CONFIG_FIXED_MAX && (option = fixed_option(i)); i++)
		ret_ids[i] = id_of(option, config);
}

void config_fixed_differences(const uint64_t a[CONFIG_FIXED_MAX],
			      const uint64_t b[CONFIG_FIXED_MAX], size_t size, char *ret_names)
{
	const struct config_option *option;
	size_t i;

	ret_names[0] = '\0';
	for (i = 0; i < CONFIG_FIXED_MAX && (option = fixed_option(i)); i++)
		if (a[i] && b[i] && a[i] != b[i])
			add_name(option->doc.name, size, ret_names);
}
