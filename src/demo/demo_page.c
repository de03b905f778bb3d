// SPDX-License-Identifier: MIT
#include "demo/demo_page.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool demo_wants_json(const char *accept)
{
	return accept && strstr(accept, "application/json");
}

static char *render_json(const struct demo_facts *facts)
{
	json_t *json = json_pack("{s:i, s:i, s:I, s:i, s:i, s:s, s:s, s:i, s:I}", "slot",
				 (int)facts->slot, "slots", (int)facts->slots, "generation",
				 (json_int_t)facts->generation, "pid", (int)facts->process, "tid",
				 (int)facts->thread, "client", facts->client, "key", facts->key,
				 "bucket", (int)facts->bucket, "served", (json_int_t)facts->served);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	char *line = NULL;

	json_decref(json);
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return line;
}

/*
 * Returns a colour for a slot. The hues of neighbouring slots differ by about the golden angle, so
 * that they are easy to tell apart.
 */
static unsigned int hue_of(uint32_t slot)
{
	return slot * 137 % 360;
}

static char *render_html(const struct demo_facts *facts)
{
	char *text = NULL;
	int length = asprintf(
		&text,
		"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<title>slot %u</title>\n<style>\n"
		"body{font:1.05rem/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;"
		"padding:0 1rem;color:#222;background:#fff}\n"
		"h1{font-size:1.6rem;border-left:.6rem solid hsl(%u 65%% "
		"50%%);padding-left:.8rem}\n"
		"th{text-align:left;font-weight:normal;color:#555;padding-right:2rem}\n"
		"td{font-family:ui-monospace,monospace}\n"
		"pre{background:#eee;padding:.6rem;border-radius:.3rem;white-space:pre-wrap;"
		"font-family:ui-monospace,monospace;font-size:.9em}\n"
		"@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}"
		"th{color:#aaa}pre{background:#333}}\n"
		"</style>\n</head>\n<body>\n"
		"<h1>You were sent to slot %u</h1>\n<table>\n"
		"<tr><th>Your address</th><td>%s</td></tr>\n"
		"<tr><th>Key</th><td>%s</td></tr>\n"
		"<tr><th>Bucket</th><td>%u of 65536</td></tr>\n"
		"<tr><th>Slots</th><td>%u, numbered from 0</td></tr>\n"
		"<tr><th>Worker</th><td>thread %d of process %d, generation %" PRIu64 "</td></tr>\n"
		"<tr><th>Requests it answered</th><td>%" PRIu64 "</td></tr>\n</table>\n"
		"<p>Load this page as often as you like: the kernel sends your address to the same "
		"worker. Another address may go to another one:</p>\n"
		"<pre>curl -H 'Accept: application/json' --interface 127.0.0.2 "
		"http://127.0.0.1:%u/</pre>\n</body>\n</html>\n",
		facts->slot, hue_of(facts->slot), facts->slot, facts->client, facts->key,
		facts->bucket, facts->slots, facts->thread, facts->process, facts->generation,
		facts->served, facts->port);

	return length < 0 ? NULL : text;
}

char *demo_page(const struct demo_facts *facts, bool as_json)
{
	return as_json ? render_json(facts) : render_html(facts);
}
