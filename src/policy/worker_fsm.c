// SPDX-License-Identifier: MIT
#include "policy/worker_fsm.h"

#include <assert.h>
#include <stddef.h>

/* Stop a worker: close the controller's duplicates of its sockets first, then ask the worker. */
#define STOP_ACTIONS (ACTION_LEAVE_SLOT | ACTION_STOP_POLITELY | ACTION_START_DEADLINE)
/*
 * A worker has ended: it leaves its slot, so that its queue moves at once. The backend has killed
 * the processes that the worker left behind, as far as it could. ACTION_KILL is for a backend that
 * has not.
 */
#define EXIT_ACTIONS (ACTION_KILL | ACTION_LEAVE_SLOT)

static const struct worker_step steps[][WORKER_EVENT_COUNT] = {
	[WORKER_STARTING] =
		{
			[WORKER_BECAME_READY] = {WORKER_READY, ACTION_TAKE_SLOT},
			[WORKER_REFUSED] = {WORKER_STARTING, 0},
			/* The worker's exit then counts as a failed start. */
			[WORKER_TIMED_OUT] = {WORKER_STARTING, ACTION_KILL},
			[WORKER_SUPERSEDED] = {WORKER_DRAINING, STOP_ACTIONS},
			[WORKER_ASKED_TO_STOP] = {WORKER_DRAINING, STOP_ACTIONS},
			[WORKER_HANDSHAKES_OVER] = {WORKER_STARTING, 0},
			[WORKER_SAYS_STOPPING] = {WORKER_STARTING, 0},
			[WORKER_FELL_SILENT] = {WORKER_STARTING, 0},
			[WORKER_CLOSED_SOCKET] = {WORKER_STARTING, 0},
			[WORKER_MUST_END] = {WORKER_DRAINING, ACTION_LEAVE_SLOT | ACTION_KILL},
			[WORKER_EXITED] = {WORKER_GONE, EXIT_ACTIONS | ACTION_RESTART},
		},
	[WORKER_READY] =
		{
			[WORKER_BECAME_READY] = {WORKER_READY, 0},
			/* The worker never had the slot. Its exit counts as a failed start, too. */
			[WORKER_REFUSED] = {WORKER_STARTING, ACTION_KILL},
			[WORKER_TIMED_OUT] = {WORKER_READY, 0},
			[WORKER_SUPERSEDED] = {WORKER_LEAVING, ACTION_YIELD_SLOT},
			[WORKER_ASKED_TO_STOP] = {WORKER_LEAVING, ACTION_YIELD_SLOT},
			[WORKER_HANDSHAKES_OVER] = {WORKER_READY, 0},
			[WORKER_SAYS_STOPPING] = {WORKER_DRAINING, ACTION_LEAVE_SLOT |
									   ACTION_START_DEADLINE |
									   ACTION_REPLACE},
			/*
			 * The worker stays READY until its exit, a moment later, so that its queue
			 * is kept.
			 */
			[WORKER_FELL_SILENT] = {WORKER_READY, ACTION_KILL},
			[WORKER_CLOSED_SOCKET] = {WORKER_DRAINING, STOP_ACTIONS | ACTION_REPLACE},
			[WORKER_MUST_END] = {WORKER_DRAINING, ACTION_LEAVE_SLOT | ACTION_KILL},
			[WORKER_EXITED] = {WORKER_GONE, EXIT_ACTIONS | ACTION_RESTART},
		},
	[WORKER_LEAVING] =
		{
			[WORKER_BECAME_READY] = {WORKER_LEAVING, 0},
			[WORKER_REFUSED] = {WORKER_LEAVING, 0},
			[WORKER_TIMED_OUT] = {WORKER_LEAVING, 0},
			[WORKER_SUPERSEDED] = {WORKER_LEAVING, 0},
			[WORKER_ASKED_TO_STOP] = {WORKER_LEAVING, 0},
			[WORKER_HANDSHAKES_OVER] = {WORKER_DRAINING, STOP_ACTIONS},
			[WORKER_SAYS_STOPPING] = {WORKER_DRAINING,
						  ACTION_LEAVE_SLOT | ACTION_START_DEADLINE},
			[WORKER_FELL_SILENT] = {WORKER_LEAVING, 0},
			[WORKER_CLOSED_SOCKET] = {WORKER_LEAVING, 0},
			[WORKER_MUST_END] = {WORKER_DRAINING, ACTION_LEAVE_SLOT | ACTION_KILL},
			[WORKER_EXITED] = {WORKER_GONE, EXIT_ACTIONS},
		},
	[WORKER_DRAINING] =
		{
			[WORKER_BECAME_READY] = {WORKER_DRAINING, 0},
			[WORKER_REFUSED] = {WORKER_DRAINING, 0},
			[WORKER_TIMED_OUT] = {WORKER_DRAINING, 0},
			[WORKER_SUPERSEDED] = {WORKER_DRAINING, 0},
			[WORKER_ASKED_TO_STOP] = {WORKER_DRAINING, 0},
			[WORKER_HANDSHAKES_OVER] = {WORKER_DRAINING, 0},
			[WORKER_SAYS_STOPPING] = {WORKER_DRAINING, 0},
			[WORKER_FELL_SILENT] = {WORKER_DRAINING, 0},
			[WORKER_CLOSED_SOCKET] = {WORKER_DRAINING, 0},
			[WORKER_MUST_END] = {WORKER_DRAINING, ACTION_KILL},
			[WORKER_EXITED] = {WORKER_GONE, EXIT_ACTIONS},
		},
	[WORKER_GONE] =
		{
			[WORKER_BECAME_READY] = {WORKER_GONE, 0},
			[WORKER_REFUSED] = {WORKER_GONE, 0},
			[WORKER_TIMED_OUT] = {WORKER_GONE, 0},
			[WORKER_SUPERSEDED] = {WORKER_GONE, 0},
			[WORKER_ASKED_TO_STOP] = {WORKER_GONE, 0},
			[WORKER_HANDSHAKES_OVER] = {WORKER_GONE, 0},
			[WORKER_SAYS_STOPPING] = {WORKER_GONE, 0},
			[WORKER_FELL_SILENT] = {WORKER_GONE, 0},
			[WORKER_CLOSED_SOCKET] = {WORKER_GONE, 0},
			[WORKER_MUST_END] = {WORKER_GONE, 0},
			[WORKER_EXITED] = {WORKER_GONE, 0},
		},
};

static_assert(sizeof(steps) / sizeof(steps[0]) == WORKER_STATE_COUNT, "a row for each state");

static const char *const state_names[] = {
	[WORKER_STARTING] = "starting", [WORKER_READY] = "ready",
	[WORKER_DRAINING] = "draining", [WORKER_GONE] = "gone",
	[WORKER_LEAVING] = "leaving",
};

static_assert(sizeof(state_names) / sizeof(state_names[0]) == WORKER_STATE_COUNT,
	      "a name for each state");

static const char *const event_names[] = {
	[WORKER_BECAME_READY] = "became_ready",
	[WORKER_REFUSED] = "refused",
	[WORKER_TIMED_OUT] = "timed_out",
	[WORKER_SUPERSEDED] = "superseded",
	[WORKER_ASKED_TO_STOP] = "asked_to_stop",
	[WORKER_HANDSHAKES_OVER] = "handshakes_over",
	[WORKER_SAYS_STOPPING] = "says_stopping",
	[WORKER_FELL_SILENT] = "fell_silent",
	[WORKER_CLOSED_SOCKET] = "closed_socket",
	[WORKER_MUST_END] = "must_end",
	[WORKER_EXITED] = "exited",
};

static_assert(sizeof(event_names) / sizeof(event_names[0]) == WORKER_EVENT_COUNT,
	      "a name for each event");

struct worker_step worker_fsm_step(enum worker_state state, enum worker_event event)
{
	assert(state < WORKER_STATE_COUNT && event < WORKER_EVENT_COUNT);
	return steps[state][event];
}

const char *worker_state_name(enum worker_state state)
{
	return state_names[state];
}

const char *worker_event_name(enum worker_event event)
{
	return event_names[event];
}
