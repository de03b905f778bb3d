// SPDX-License-Identifier: MIT
#include "common/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

struct journal_follower {
	struct journal_follower *next;
	journal_fn *fn; /* NULL: removed during a delivery, after which the follower is freed */
	void *context;
};

struct journal {
	uint64_t count; /* events added so far */
	json_t *kept[JOURNAL_KEPT];
	struct journal_follower *followers;
	/* depth of nested deliveries: a follower's function may add an event */
	unsigned int telling;
};

int journal_open(struct journal **ret_journal)
{
	*ret_journal = calloc(1, sizeof(**ret_journal));
	return *ret_journal ? 0 : -ENOMEM;
}

void journal_close(struct journal *journal)
{
	size_t i;

	if (!journal)
		return;
	for (i = 0; i < JOURNAL_KEPT; i++)
		json_decref(journal->kept[i]);
	while (journal->followers)
		journal_unfollow(journal, journal->followers);
	free(journal);
}

#define VALUE_SIZE 512

/*
 * A '"' within a quoted value would end the value for a program that reads the log. It is written
 * as ' instead.
 */
static void copy_without_quotes(const char *text, char copy[VALUE_SIZE])
{
	size_t i;

	snprintf(copy, VALUE_SIZE, "%s", text);
	for (i = 0; copy[i]; i++)
		if (copy[i] == '"')
			copy[i] = '\'';
}

/* Write an event's fields as key=value for the log line, in their order. */
static void format_fields(const json_t *fields, char *text, size_t size)
{
	char copy[VALUE_SIZE];
	const char *key;
	json_t *value;
	size_t length = 0;

	text[0] = '\0';
	json_object_foreach((json_t *)fields, key, value)
	{
		const char *space = length ? " " : "";
		int written = 0;

		if (length >= size - 1)
			return;
		if (json_is_integer(value))
			written =
				snprintf(text + length, size - length, "%s%s=%" JSON_INTEGER_FORMAT,
					 space, key, json_integer_value(value));
		else if (json_is_string(value)) {
			copy_without_quotes(json_string_value(value), copy);
			written = snprintf(text + length, size - length,
					   strpbrk(copy, " ='") ? "%s%s=\"%s\"" : "%s%s=%s", space,
					   key, copy);
		} else if (json_is_boolean(value))
			written = snprintf(text + length, size - length, "%s%s=%s", space, key,
					   json_is_true(value) ? "yes" : "no");
		length += written > 0 ? (size_t)written : 0;
	}
}

static json_t *now_json(void)
{
	char now[CLOCK_UTC_SIZE];

	clock_utc(3, now);
	return json_string(now);
}

static void sweep(struct journal *journal)
{
	struct journal_follower **link = &journal->followers;

	while (*link) {
		struct journal_follower *follower = *link;

		if (follower->fn) {
			link = &follower->next;
			continue;
		}
		*link = follower->next;
		free(follower);
	}
}

/*
 * Call each follower with an event. A follower's function may remove itself or another follower.
 * Therefore nothing is removed from the list until the outermost call is done.
 */
static void tell(struct journal *journal, const json_t *entry)
{
	struct journal_follower *follower;

	journal->telling++;
	for (follower = journal->followers; follower; follower = follower->next)
		if (follower->fn)
			follower->fn(follower->context, entry);
	if (!--journal->telling)
		sweep(journal);
}

void journal_add(struct journal *journal, int level, const char *event, json_t *fields)
{
	char text[1024];
	json_t *entry = json_object();
	json_t **place = &journal->kept[journal->count % JOURNAL_KEPT];

	if (!fields)
		fields = json_object();
	format_fields(fields, text, sizeof(text));
	report_fields((enum sticky_log_level)level, event, fields, text);

	json_object_set_new(entry, "seq", json_integer((json_int_t)journal->count));
	json_object_set_new(entry, "time", now_json());
	json_object_set_new(entry, "event", json_string(event));
	json_object_update(entry, fields);
	json_decref(fields);
	json_decref(*place);
	*place = entry;
	journal->count++;
	json_incref(entry); /* a follower may add events, which may drop this one */
	tell(journal, entry);
	json_decref(entry);
}

struct journal_follower *journal_follow(struct journal *journal, journal_fn *fn, void *context)
{
	struct journal_follower *follower = calloc(1, sizeof(*follower));

	if (!follower)
		return NULL;
	*follower =
		(struct journal_follower){.next = journal->followers, .fn = fn, .context = context};
	journal->followers = follower;
	return follower;
}

void journal_unfollow(struct journal *journal, struct journal_follower *follower)
{
	follower->fn = NULL;
	if (!journal->telling)
		sweep(journal);
}

void journal_replay(const struct journal *journal, journal_fn *fn, void *context)
{
	uint64_t first = journal->count > JOURNAL_KEPT ? journal->count - JOURNAL_KEPT : 0, i;

	for (i = first; i < journal->count; i++)
		fn(context, journal->kept[i % JOURNAL_KEPT]);
}
