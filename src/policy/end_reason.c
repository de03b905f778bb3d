// SPDX-License-Identifier: MIT
#include "policy/end_reason.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define DETAIL_SIZE 64

/* The parts of a text. The detail stands between `before` and `after`: see write_detail(). */
struct end_text {
	const char *before;
	const char *after; /* NULL: nothing */
	const char *hint;  /* NULL: nothing is known */
};

static const struct end_text texts[] = {
	[END_NONE] = {.before = ""},
	[END_NOT_READY] =
		{
			.before = "did not get ready within ",
			.after = " ms (--ready-timeout)",
			.hint = "it is waited for until it sends READY=1 to NOTIFY_SOCKET; one "
				"that never does wants --ready=started",
		},
	[END_TAKES_NO_CONNECTIONS] =
		{
			.before = "takes no passed connections, and here they are passed (",
			.after = ")",
			.hint = "it wants sticky_process_open() of libsticky; or let the proxy "
				"choose the worker, by --slot-listen",
		},
	[END_CHANNEL_CLOSED] =
		{
			.before = "closed the channel by which connections are passed to it",
			.hint = "sticky_process_close() is for its end, behind "
				"sticky_process_stopping()",
		},
	[END_NOT_LISTENING] =
		{
			.before = "does not listen on the socket that it was given",
			.hint = "it must accept from descriptor 3 on, and not shut it down",
		},
	[END_HUNG] =
		{
			.before = "accepted none of the connections that waited for it for ",
			.after = " ms (--hang-timeout)",
			.hint = "the event worker_hung says what it did at that time",
		},
	[END_SILENT] =
		{
			.before = "sent no WATCHDOG=1 for ",
			.after = " ms (--watchdog)",
		},
	[END_NOT_ANSWERED] = {.before = "could not be answered"},
	[END_NO_ROOM_FOR_SOCKET] = {.before = "has no room for its socket"},
};

static_assert(sizeof(texts) / sizeof(texts[0]) == END_REASON_COUNT, "a text for each reason");

static void write_detail(enum end_reason reason, const struct end_facts *facts,
			 char ret_detail[DETAIL_SIZE])
{
	ret_detail[0] = '\0';
	if (reason == END_NOT_READY)
		snprintf(ret_detail, DETAIL_SIZE, "%" PRIu32, facts->ready_timeout_ms);
	else if (reason == END_HUNG)
		snprintf(ret_detail, DETAIL_SIZE, "%" PRIu32, facts->hang_timeout_ms);
	else if (reason == END_SILENT)
		snprintf(ret_detail, DETAIL_SIZE, "%" PRIu32, facts->watchdog_ms);
	else if (reason == END_TAKES_NO_CONNECTIONS)
		snprintf(ret_detail, DETAIL_SIZE, "%s", facts->passed_by);
}

const char *end_reason_describe(enum end_reason reason, const struct end_facts *facts, size_t size,
				char *ret_text)
{
	const struct end_text *text = &texts[reason];
	const char *more = reason == END_NOT_READY ? facts->not_ready_reason : "";
	char detail[DETAIL_SIZE];

	assert(reason > END_NONE && reason < END_REASON_COUNT);
	write_detail(reason, facts, detail);
	snprintf(ret_text, size, "%s%s%s%s%s", text->before, detail, text->after ? text->after : "",
		 more[0] ? ": " : "", more);
	if (reason == END_SILENT && !facts->sent_alive)
		return "it has never sent one, as others of this instance have; Node.js and many "
		       "other servers can't: --hang-timeout with --on-hang=restart watches these";
	if (reason == END_NOT_READY && facts->not_ready_hint)
		return facts->not_ready_hint;
	return text->hint;
}
