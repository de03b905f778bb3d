// SPDX-License-Identifier: MIT
#include "api/exit_json.h"

#include <signal.h>
#include <string.h>

#include "api/last_words.h"
#include "common/ring_line_json.h"

#define LINE_MAX_SHOWN 300

static json_t *last_line(const struct line_ring *ring, uint32_t slot, uint64_t generation)
{
	const struct ring_line *line = last_words_find(ring, slot, generation);
	size_t length = line ? line->length : 0;
	json_t *text;

	if (!line)
		return json_null();
	text = ring_text_json(line->bytes, length < LINE_MAX_SHOWN ? length : LINE_MAX_SHOWN);
	return text ? text : json_null();
}

/*
 * Returns the hint on an exit. The text of a worker that stickyctl itself has killed for a reason
 * gives that reason, and not SIGKILL.
 */
static json_t *hint_json(const struct run_exit *how)
{
	if (how->hint)
		return json_string(how->hint);
	if (how->signal == SIGKILL && strstr(how->text, "SIGKILL"))
		return json_string(
			"SIGKILL comes from the kernel where memory is short (dmesg), or "
			"from another process");
	return json_null();
}

json_t *exit_json(const struct slot_view *view, const struct line_ring *ring, uint32_t slot)
{
	const struct run_exit *how = &view->last_exit;

	if (!view->has_exit)
		return json_null();
	return json_pack(
		"{s:o, s:o, s:s, s:o, s:I, s:I, s:o}", "code",
		how->code >= 0 ? json_integer(how->code) : json_null(), "signal",
		how->signal ? json_sprintf("SIG%s", sigabbrev_np(how->signal)) : json_null(),
		"text", how->text, "hint", hint_json(how), "uptime_ms",
		(json_int_t)view->last_lifetime_ms, "generation", (json_int_t)view->last_generation,
		"last_line", last_line(ring, slot, view->last_generation));
}
