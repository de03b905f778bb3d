// SPDX-License-Identifier: MIT
/* The state machine of a worker: every cell of its table. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>

#include "policy/worker_fsm.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * First the worker leaves the slot, so that no new client arrives. Then the worker is asked to
 * stop, and its time to do so begins.
 */
#define STOP (ACTION_LEAVE_SLOT | ACTION_STOP_POLITELY | ACTION_START_DEADLINE)
/* The processes that a dead worker has left are killed, and its queue moves. */
#define BURY (ACTION_KILL | ACTION_LEAVE_SLOT)

struct cell {
	enum worker_state state;
	enum worker_event event;
	enum worker_state next;
	unsigned int actions;
};

static const struct cell expected[] = {
	{WORKER_STARTING, WORKER_BECAME_READY, WORKER_READY, ACTION_TAKE_SLOT},
	{WORKER_STARTING, WORKER_REFUSED, WORKER_STARTING, 0},
	{WORKER_STARTING, WORKER_TIMED_OUT, WORKER_STARTING, ACTION_KILL},
	{WORKER_STARTING, WORKER_SUPERSEDED, WORKER_DRAINING, STOP},
	{WORKER_STARTING, WORKER_ASKED_TO_STOP, WORKER_DRAINING, STOP},
	{WORKER_STARTING, WORKER_HANDSHAKES_OVER, WORKER_STARTING, 0},
	{WORKER_STARTING, WORKER_SAYS_STOPPING, WORKER_STARTING, 0},
	{WORKER_STARTING, WORKER_FELL_SILENT, WORKER_STARTING, 0},
	{WORKER_STARTING, WORKER_CLOSED_SOCKET, WORKER_STARTING, 0},
	{WORKER_STARTING, WORKER_MUST_END, WORKER_DRAINING, ACTION_LEAVE_SLOT | ACTION_KILL},
	{WORKER_STARTING, WORKER_EXITED, WORKER_GONE, BURY | ACTION_RESTART},

	{WORKER_READY, WORKER_BECAME_READY, WORKER_READY, 0},
	{WORKER_READY, WORKER_REFUSED, WORKER_STARTING, ACTION_KILL},
	{WORKER_READY, WORKER_TIMED_OUT, WORKER_READY, 0},
	{WORKER_READY, WORKER_SUPERSEDED, WORKER_LEAVING, ACTION_YIELD_SLOT},
	{WORKER_READY, WORKER_ASKED_TO_STOP, WORKER_LEAVING, ACTION_YIELD_SLOT},
	{WORKER_READY, WORKER_HANDSHAKES_OVER, WORKER_READY, 0},
	{WORKER_READY, WORKER_SAYS_STOPPING, WORKER_DRAINING,
	 ACTION_LEAVE_SLOT | ACTION_START_DEADLINE | ACTION_REPLACE},
	{WORKER_READY, WORKER_FELL_SILENT, WORKER_READY, ACTION_KILL},
	{WORKER_READY, WORKER_CLOSED_SOCKET, WORKER_DRAINING, STOP | ACTION_REPLACE},
	{WORKER_READY, WORKER_MUST_END, WORKER_DRAINING, ACTION_LEAVE_SLOT | ACTION_KILL},
	{WORKER_READY, WORKER_EXITED, WORKER_GONE, BURY | ACTION_RESTART},

	{WORKER_LEAVING, WORKER_BECAME_READY, WORKER_LEAVING, 0},
	{WORKER_LEAVING, WORKER_REFUSED, WORKER_LEAVING, 0},
	{WORKER_LEAVING, WORKER_TIMED_OUT, WORKER_LEAVING, 0},
	{WORKER_LEAVING, WORKER_SUPERSEDED, WORKER_LEAVING, 0},
	{WORKER_LEAVING, WORKER_ASKED_TO_STOP, WORKER_LEAVING, 0},
	{WORKER_LEAVING, WORKER_HANDSHAKES_OVER, WORKER_DRAINING, STOP},
	{WORKER_LEAVING, WORKER_SAYS_STOPPING, WORKER_DRAINING,
	 ACTION_LEAVE_SLOT | ACTION_START_DEADLINE},
	{WORKER_LEAVING, WORKER_FELL_SILENT, WORKER_LEAVING, 0},
	{WORKER_LEAVING, WORKER_CLOSED_SOCKET, WORKER_LEAVING, 0},
	{WORKER_LEAVING, WORKER_MUST_END, WORKER_DRAINING, ACTION_LEAVE_SLOT | ACTION_KILL},
	{WORKER_LEAVING, WORKER_EXITED, WORKER_GONE, BURY},

	{WORKER_DRAINING, WORKER_BECAME_READY, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_REFUSED, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_TIMED_OUT, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_SUPERSEDED, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_ASKED_TO_STOP, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_HANDSHAKES_OVER, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_SAYS_STOPPING, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_FELL_SILENT, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_CLOSED_SOCKET, WORKER_DRAINING, 0},
	{WORKER_DRAINING, WORKER_MUST_END, WORKER_DRAINING, ACTION_KILL},
	{WORKER_DRAINING, WORKER_EXITED, WORKER_GONE, BURY},

	{WORKER_GONE, WORKER_BECAME_READY, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_REFUSED, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_TIMED_OUT, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_SUPERSEDED, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_ASKED_TO_STOP, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_HANDSHAKES_OVER, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_SAYS_STOPPING, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_FELL_SILENT, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_CLOSED_SOCKET, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_MUST_END, WORKER_GONE, 0},
	{WORKER_GONE, WORKER_EXITED, WORKER_GONE, 0},
};

static void every_cell_is_as_written_here(void **state)
{
	bool seen[WORKER_STATE_COUNT][WORKER_EVENT_COUNT] = {{false}};
	size_t i;

	(void)state;
	assert_int_equal(COUNT(expected), WORKER_STATE_COUNT * WORKER_EVENT_COUNT);
	for (i = 0; i < COUNT(expected); i++) {
		const struct cell *cell = &expected[i];
		struct worker_step step = worker_fsm_step(cell->state, cell->event);

		assert_false(seen[cell->state][cell->event]);
		seen[cell->state][cell->event] = true;
		if (step.next != cell->next || step.actions != cell->actions)
			fail_msg("%s, %s: to %s with %#x", worker_state_name(cell->state),
				 worker_event_name(cell->event), worker_state_name(step.next),
				 step.actions);
	}
}

/* A worker passes through the states in this order, which differs from that of their numbers. */
static const int order[WORKER_STATE_COUNT] = {
	[WORKER_STARTING] = 0, [WORKER_READY] = 1, [WORKER_LEAVING] = 2,
	[WORKER_DRAINING] = 3, [WORKER_GONE] = 4,
};

/* Check rules that every version of the table must obey. */
static void check_rules(enum worker_state from, enum worker_event event)
{
	struct worker_step step = worker_fsm_step(from, event);

	/* A worker that is gone stays gone. */
	if (from == WORKER_GONE)
		assert_true(step.next == WORKER_GONE && step.actions == 0);
	/*
	 * No worker goes back to an earlier state, except one that its slot refuses. That worker is
	 * killed.
	 */
	if (order[step.next] < order[from])
		assert_true(event == WORKER_REFUSED && from == WORKER_READY &&
			    step.actions == ACTION_KILL);
	/* The slot is taken when the worker becomes ready, and at no other time. */
	assert_int_equal(step.next == WORKER_READY && from != WORKER_READY,
			 (step.actions & ACTION_TAKE_SLOT) != 0);
	/*
	 * A worker in READY has the slot. When it leaves that state, it yields or leaves the slot.
	 */
	if (from == WORKER_READY && step.next != WORKER_READY && event != WORKER_REFUSED)
		assert_true(step.actions & (ACTION_YIELD_SLOT | ACTION_LEAVE_SLOT));
	/* A worker that has yielded its slot keeps its sockets until it drains. */
	assert_int_equal(from != WORKER_LEAVING && step.next == WORKER_LEAVING,
			 (step.actions & ACTION_YIELD_SLOT) != 0);
	if (from == WORKER_LEAVING && step.next != WORKER_LEAVING)
		assert_true(step.actions & ACTION_LEAVE_SLOT);
	/*
	 * No other worker is started when a worker that leaves the slot ends: its successor has
	 * been started already.
	 */
	if (from == WORKER_LEAVING || from == WORKER_DRAINING)
		assert_false(step.actions & (ACTION_REPLACE | ACTION_RESTART));
	/* A worker that drains must end: there is a deadline, or it is killed now. */
	if (from != WORKER_DRAINING && step.next == WORKER_DRAINING)
		assert_true(step.actions & (ACTION_START_DEADLINE | ACTION_KILL));
	if (event == WORKER_EXITED)
		assert_int_equal(step.next, WORKER_GONE);
	else if (from != WORKER_GONE)
		assert_int_not_equal(step.next, WORKER_GONE);
}

static void no_cell_breaks_the_rules(void **state)
{
	enum worker_state from;
	enum worker_event event;

	(void)state;
	for (from = 0; from < WORKER_STATE_COUNT; from++)
		for (event = 0; event < WORKER_EVENT_COUNT; event++)
			check_rules(from, event);
}

static void names_are_there_and_differ(void **state)
{
	static const char *const states[] = {"starting", "ready", "draining", "gone", "leaving"};
	static const char *const events[] = {"became_ready",  "refused",       "timed_out",
					     "superseded",    "asked_to_stop", "handshakes_over",
					     "says_stopping", "fell_silent",   "closed_socket",
					     "must_end",      "exited"};
	size_t i;

	(void)state;
	assert_int_equal(COUNT(states), WORKER_STATE_COUNT);
	assert_int_equal(COUNT(events), WORKER_EVENT_COUNT);
	for (i = 0; i < COUNT(states); i++)
		assert_string_equal(worker_state_name((enum worker_state)i), states[i]);
	for (i = 0; i < COUNT(events); i++)
		assert_string_equal(worker_event_name((enum worker_event)i), events[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_is_as_written_here),
		cmocka_unit_test(no_cell_breaks_the_rules),
		cmocka_unit_test(names_are_there_and_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
