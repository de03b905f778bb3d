// SPDX-License-Identifier: MIT
#include "api/slot_requests.h"

#include <errno.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <string.h>

#include "api/api_stream.h"
#include "api/query.h"
#include "api/status.h"
#include "common/units.h"
#include "sticky.h"
#include "supervise/slot_commands.h"

/* Send the error message for a negative result of a slot command. */
static void answer_refusal(struct evhttp_request *request, int error, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", what,
		 error == -EINVAL  ? "there is no such slot"
		 : error == -EBUSY ? "the instance is stopping"
		 : error == -EPERM ? "the slot is drained; 'stickyctl ready' brings it back"
				   : strerror(-error));
	api_answer_error(request, error == -EINVAL ? HTTP_BADREQUEST : 409, text);
}

static void serve_slot(struct supervisor *supervisor, struct evhttp_request *request,
		       const char *what, int (*order)(struct supervisor *, uint32_t))
{
	uint32_t slot;
	int error = query_number(request, "slot", STICKY_SLOTS_LIMIT, &slot);

	if (!error)
		error = order(supervisor, slot);
	if (error)
		answer_refusal(request, error, what);
	else
		api_answer(request, HTTP_OK,
			   json_pack("{s:i, s:s}", "slot", (int)slot, "done", what));
}

void slot_request_drain(struct supervisor *supervisor, struct evhttp_request *request)
{
	serve_slot(supervisor, request, "drain", slot_drain);
}

void slot_request_ready(struct supervisor *supervisor, struct evhttp_request *request)
{
	serve_slot(supervisor, request, "ready", slot_enable);
}

void slot_request_restart(struct supervisor *supervisor, struct evhttp_request *request)
{
	serve_slot(supervisor, request, "restart", slot_restart);
}

/* Returns the number of slots that "8", "+1" or "-2" asks for, or -EINVAL. */
static int wanted_slots(const char *text, uint32_t present)
{
	bool is_relative = text[0] == '+' || text[0] == '-';
	uint64_t number;
	int64_t wanted;

	if (parse_number(text + is_relative, 0, STICKY_SLOTS_LIMIT, &number))
		return -EINVAL;
	wanted = text[0] == '+'	  ? (int64_t)present + (int64_t)number
		 : text[0] == '-' ? (int64_t)present - (int64_t)number
				  : (int64_t)number;
	return wanted >= 1 && wanted <= STICKY_SLOTS_LIMIT ? (int)wanted : -EINVAL;
}

void slot_request_scale(struct supervisor *supervisor, struct evhttp_request *request)
{
	struct evkeyvalq list;
	/* In a query '+' means a space: "+1" is sent as "%2B1". */
	const char *text = query_read(request, &list) ? NULL : evhttp_find_header(&list, "slots");
	uint32_t previous = supervisor_slots(supervisor);
	int slots = text ? wanted_slots(text, previous) : -EINVAL;
	int moved;

	evhttp_clear_headers(&list);
	if (slots < 0) {
		api_answer_error(request, HTTP_BADREQUEST,
				 "scale: write N, +N or -N; there can be 1 to 1024 slots");
		return;
	}
	moved = slots_scale(supervisor, (uint32_t)slots);
	if (moved < 0)
		answer_refusal(request, moved, "scale");
	else
		api_answer(request, HTTP_OK,
			   json_pack("{s:i, s:i, s:i, s:f}", "slots", slots, "from", (int)previous,
				     "moved_buckets", moved, "percent",
				     100.0 * moved / STICKY_BUCKET_COUNT));
}
