// SPDX-License-Identifier: MIT
#include "service/service_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/sanitize.h"

static const char *const state_names[SERVICE_SLOT_STATE_COUNT] = {
	[SERVICE_SLOT_READY] = "ready",	      [SERVICE_SLOT_STARTING] = "starting",
	[SERVICE_SLOT_HUNG] = "hung",	      [SERVICE_SLOT_LEAVING] = "leaving",
	[SERVICE_SLOT_DRAINING] = "draining", [SERVICE_SLOT_WAITING] = "waiting",
	[SERVICE_SLOT_DRAINED] = "drained",   [SERVICE_SLOT_FAILED] = "failed",
};

enum service_slot_state service_slot_state_of(const char *name)
{
	int state;

	for (state = 0; state < SERVICE_SLOT_STATE_COUNT; state++)
		if (!strcmp(state_names[state], name))
			return (enum service_slot_state)state;
	return SERVICE_SLOT_WAITING;
}

bool service_view_is_settled(const struct service_view *view)
{
	uint32_t ready = view->count[SERVICE_SLOT_READY];
	uint32_t drained = view->count[SERVICE_SLOT_DRAINED];
	uint32_t failed = view->count[SERVICE_SLOT_FAILED];

	return ready + drained + failed == view->slots && (ready || !failed);
}

/* Append to a text in a buffer of `room` bytes. Characters that do not fit are cut off. */
static void add(char *text, size_t room, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add(char *text, size_t room, const char *format, ...)
{
	size_t length = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + length, room - length, format, args);
	va_end(args);
}

void service_status_line(const struct service_view *view, char ret_line[SERVICE_STATUS_SIZE])
{
	/* The slots whose only worker leaves or drains: the loop counts these by their states. */
	uint32_t shown = view->count[SERVICE_SLOT_LEAVING] + view->count[SERVICE_SLOT_DRAINING];
	int state;

	ret_line[0] = '\0';
	add(ret_line, SERVICE_STATUS_SIZE, "%s, %u of %u slots ready", view->state,
	    view->count[SERVICE_SLOT_READY], view->slots);
	for (state = SERVICE_SLOT_READY + 1; state < SERVICE_SLOT_STATE_COUNT; state++)
		if (view->count[state])
			add(ret_line, SERVICE_STATUS_SIZE, ", %u %s", view->count[state],
			    state_names[state]);
	if (view->draining > shown)
		add(ret_line, SERVICE_STATUS_SIZE, "; draining %u", view->draining - shown);
	if (view->is_reloading)
		add(ret_line, SERVICE_STATUS_SIZE, "; reload %u of %u", view->reload_done,
		    view->reload_of);
	add(ret_line, SERVICE_STATUS_SIZE, "; steering %s", view->steering);
	if (view->problem[0])
		add(ret_line, SERVICE_STATUS_SIZE, "; %s", view->problem);
	/* The text about a reload may have several lines, or contain the output of a worker. */
	text_clean_line(ret_line);
}

void service_message(enum service_news news, const char *line, uint64_t monotonic_us,
		     uint64_t extend_us, char ret_text[SERVICE_TEXT_SIZE])
{
	static const char *const words[SERVICE_NEWS_COUNT] = {
		[SERVICE_STATUS] = "",
		[SERVICE_READY] = "READY=1\n",
		[SERVICE_RELOADING] = "RELOADING=1\n",
		[SERVICE_STOPPING] = "STOPPING=1\n",
	};

	strcpy(ret_text, words[news]);
	if (news == SERVICE_RELOADING)
		add(ret_text, SERVICE_TEXT_SIZE, "MONOTONIC_USEC=%" PRIu64 "\n", monotonic_us);
	if (line)
		add(ret_text, SERVICE_TEXT_SIZE, "STATUS=%s\n", line);
	if (extend_us)
		add(ret_text, SERVICE_TEXT_SIZE, "EXTEND_TIMEOUT_USEC=%" PRIu64 "\n", extend_us);
}
