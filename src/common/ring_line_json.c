// SPDX-License-Identifier: MIT
#include "common/ring_line_json.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/sanitize.h"

json_t *ring_text_json(const char *bytes, size_t length)
{
	char *text = malloc(length * TEXT_UTF8_GROWTH + 1);
	json_t *json = NULL;

	if (text)
		json = json_stringn(text, text_to_utf8(bytes, length, text));
	free(text);
	return json;
}

json_t *ring_line_json(const struct ring_line *line)
{
	const struct line_origin *origin = &line->origin;
	char time[CLOCK_UTC_SIZE];
	json_t *json;

	clock_format_utc(line->time_ms, time);
	json = json_pack("{s:s, s:s, s:s, s:i, s:I, s:i, s:s, s:o}", "time", time, "level", "info",
			 "event", "worker_output", "slot", (int)origin->slot, "generation",
			 (json_int_t)origin->generation, "pid", (int)origin->pid, "stream",
			 origin->stream, "line", ring_text_json(line->bytes, line->length));
	if (json && origin->shows_generation)
		json_object_set_new(json, "beside", json_true());
	if (json && line->is_cut)
		json_object_set_new(json, "cut", json_true());
	if (json && line->is_part)
		json_object_set_new(json, "part", json_true());
	return json;
}
