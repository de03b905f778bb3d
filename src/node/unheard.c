// SPDX-License-Identifier: MIT
#include "node/unheard.h"

#include <stdio.h>
#include <string.h>

#include "common/sanitize.h"

/*
 * Members that tell messages apart. The first one that is a string is used, but one for which there
 * is a cure is preferred: rate-limiter-flexible's first message has a type beside its channel.
 */
static const char *const names[] = {"cmd",    "type",	"topic", "channel", "event",
				    "action", "source", "name",	 "msg"};

#define NAMES (sizeof(names) / sizeof(names[0]))

static const struct {
	const char *kind; /* the beginning of the kind */
	const char *cure;
} cures[] = {
	{"topic log4js:", "set disableClustering: true in log4js.configure(): each worker then "
			  "writes its own log, e.g. to stdout"},
	{"channel rate_limiter_flexible",
	 "use RateLimiterMemory, as a client always comes to the same worker; or RateLimiterRedis, "
	 "where a limit is for all workers together"},
	{"type prom-client:", "let each worker serve the metrics of its own registry, with the "
			      "label slot=process.env.STICKY_SLOT"},
	{"type axm:", "this is for pm2: remove @pm2/io (pmx)"},
	{"type process:", "this is for pm2: remove @pm2/io (pmx)"},
};

static const char other_cure[] =
	"the primary is stickyctl, and runs no code of the application: keep in Redis or the like "
	"what workers share, or send it by a socket.io adapter";

static const char *cure_of(const char *kind)
{
	size_t i;

	for (i = 0; i < sizeof(cures) / sizeof(cures[0]); i++)
		if (!strncmp(kind, cures[i].kind, strlen(cures[i].kind)))
			return cures[i].cure;
	return other_cure;
}

static const char *name_of_kind(enum json_scan_kind kind)
{
	return kind == JSON_SCAN_OBJECT	 ? "an object without a type"
	       : kind == JSON_SCAN_ARRAY ? "an array"
					 : "a plain value";
}

static void write_kind(const char *name, const char *text, size_t length,
		       char kind[UNHEARD_KIND_SIZE])
{
	char *quote;

	snprintf(kind, UNHEARD_KIND_SIZE, "%s %.*s", name,
		 length < UNHEARD_KIND_SIZE ? (int)length : UNHEARD_KIND_SIZE, text);
	text_clean(kind);
	/* The kind stands between quotes in a log line. */
	while ((quote = strpbrk(kind, "\"\n")))
		*quote = '\'';
}

/*
 * Write the kind by the first member that has a cure, else by the first member. Returns false if no
 * member is a string.
 */
static bool write_member(const struct json_part parts[NAMES], char kind[UNHEARD_KIND_SIZE])
{
	size_t i, first = NAMES;

	for (i = 0; i < NAMES; i++) {
		if (parts[i].kind != JSON_SCAN_STRING)
			continue;
		write_kind(names[i], parts[i].text, parts[i].length, kind);
		if (cure_of(kind) != other_cure)
			return true;
		if (first == NAMES)
			first = i;
	}
	if (first < NAMES)
		write_kind(names[first], parts[first].text, parts[first].length, kind);
	return first < NAMES;
}

static void describe(const struct node_message *message, char kind[UNHEARD_KIND_SIZE])
{
	_Static_assert(NAMES <= NODE_MESSAGE_PARTS_MAX, "room for all parts");
	struct node_message_texts texts;
	struct json_part parts[NAMES], whole;

	if (!node_message_scan(message, names, NAMES, parts, &whole, &texts)) {
		snprintf(kind, UNHEARD_KIND_SIZE,
			 message->format == NODE_FORMAT_JSON ? "no JSON" : "no value of V8");
		return;
	}
	if (whole.kind == JSON_SCAN_STRING)
		write_kind("text", whole.text, whole.length, kind);
	else if (!write_member(parts, kind))
		snprintf(kind, UNHEARD_KIND_SIZE, "%s", name_of_kind(whole.kind));
}

static bool is_known(const struct unheard *unheard, const char *kind)
{
	size_t i;

	for (i = 0; i < unheard->count; i++)
		if (!strcmp(unheard->kinds[i], kind))
			return true;
	return false;
}

bool unheard_note(struct unheard *unheard, const struct node_message *message,
		  char ret_kind[UNHEARD_KIND_SIZE], const char **ret_cure)
{
	if (unheard->is_full)
		return false;
	describe(message, ret_kind);
	*ret_cure = cure_of(ret_kind);
	if (is_known(unheard, ret_kind))
		return false;
	if (unheard->count < UNHEARD_KINDS_MAX) {
		memcpy(unheard->kinds[unheard->count++], ret_kind, UNHEARD_KIND_SIZE);
		return true;
	}
	unheard->is_full = true;
	snprintf(ret_kind, UNHEARD_KIND_SIZE, "more kinds");
	*ret_cure = other_cure;
	return true;
}
