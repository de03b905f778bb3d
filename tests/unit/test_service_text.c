// SPDX-License-Identifier: MIT
/* Messages to the controller's supervisor: their texts, and the messages that wait. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "service/service_outbox.h"
#include "service/service_text.h"

static struct service_view four_slots(uint32_t ready)
{
	struct service_view view = {
		.state = "running",
		.steering = "kernel",
		.slots = 4,
		.problem = "",
	};

	view.count[SERVICE_SLOT_READY] = ready;
	return view;
}

static void assert_line(const struct service_view *view, const char *wanted)
{
	char line[SERVICE_STATUS_SIZE];

	service_status_line(view, line);
	assert_string_equal(line, wanted);
}

static void the_status_names_what_is_not_ready(void **state)
{
	struct service_view view = four_slots(4);

	(void)state;
	assert_line(&view, "running, 4 of 4 slots ready; steering kernel");
	view = four_slots(1);
	view.state = "starting";
	view.count[SERVICE_SLOT_STARTING] = 2;
	view.count[SERVICE_SLOT_FAILED] = 1;
	assert_line(&view, "starting, 1 of 4 slots ready, 2 starting, 1 failed; steering kernel");
}

static void the_status_names_a_reload_and_its_end(void **state)
{
	struct service_view view = four_slots(4);

	(void)state;
	view.is_reloading = true;
	view.reload_done = 2;
	view.reload_of = 4;
	view.draining = 3;
	assert_line(&view,
		    "running, 4 of 4 slots ready; draining 3; reload 2 of 4; steering kernel");
	view = four_slots(4);
	view.problem = "the last reload stopped at 1 of 4: exited\nwith \033[31mcode 3";
	assert_line(&view, "running, 4 of 4 slots ready; steering kernel; the last reload stopped "
			   "at 1 of 4: exited?with ?[31mcode 3");
}

static void the_status_counts_a_draining_worker_once(void **state)
{
	struct service_view view = four_slots(2);

	(void)state;
	view.count[SERVICE_SLOT_DRAINING] = 2;
	view.draining = 2;
	assert_line(&view, "running, 2 of 4 slots ready, 2 draining; steering kernel");
	view.draining = 5;
	assert_line(&view, "running, 2 of 4 slots ready, 2 draining; draining 3; steering kernel");
}

static void a_long_status_is_cut_off(void **state)
{
	struct service_view view = four_slots(4);
	char problem[3 * SERVICE_TEXT_SIZE], line[SERVICE_STATUS_SIZE], text[SERVICE_TEXT_SIZE];

	(void)state;
	memset(problem, 'x', sizeof(problem) - 1);
	problem[sizeof(problem) - 1] = '\0';
	view.problem = problem;
	service_status_line(&view, line);
	assert_int_equal(strlen(line), SERVICE_STATUS_SIZE - 1);
	service_message(SERVICE_RELOADING, line, UINT64_MAX, UINT64_MAX, text);
	assert_non_null(strstr(text, "\nEXTEND_TIMEOUT_USEC=18446744073709551615\n"));
}

static void the_states_are_those_of_status(void **state)
{
	(void)state;
	assert_int_equal(service_slot_state_of("ready"), SERVICE_SLOT_READY);
	assert_int_equal(service_slot_state_of("failed"), SERVICE_SLOT_FAILED);
	assert_int_equal(service_slot_state_of("hung"), SERVICE_SLOT_HUNG);
	assert_int_equal(service_slot_state_of("not a state"), SERVICE_SLOT_WAITING);
}

static void drained_and_failed_slots_are_not_waited_for(void **state)
{
	struct service_view view = four_slots(4);

	(void)state;
	assert_true(service_view_is_settled(&view));
	view = four_slots(2);
	view.count[SERVICE_SLOT_DRAINED] = 1;
	view.count[SERVICE_SLOT_WAITING] = 1;
	assert_false(service_view_is_settled(&view));
	view.count[SERVICE_SLOT_WAITING] = 0;
	view.count[SERVICE_SLOT_FAILED] = 1;
	assert_true(service_view_is_settled(&view));
	view = four_slots(0);
	view.count[SERVICE_SLOT_DRAINED] = 4;
	assert_true(service_view_is_settled(&view));
	view.count[SERVICE_SLOT_DRAINED] = 3;
	view.count[SERVICE_SLOT_FAILED] = 1;
	assert_false(service_view_is_settled(&view));
}

static void assert_message(enum service_news news, const char *line, uint64_t extend_us,
			   const char *wanted)
{
	char text[SERVICE_TEXT_SIZE];

	service_message(news, line, 123456, extend_us, text);
	assert_string_equal(text, wanted);
}

static void messages_have_a_line_each(void **state)
{
	(void)state;
	assert_message(SERVICE_READY, "up", 0, "READY=1\nSTATUS=up\n");
	assert_message(SERVICE_RELOADING, NULL, 0, "RELOADING=1\nMONOTONIC_USEC=123456\n");
	assert_message(SERVICE_STOPPING, "down", 5,
		       "STOPPING=1\nSTATUS=down\nEXTEND_TIMEOUT_USEC=5\n");
	assert_message(SERVICE_STATUS, "up", 0, "STATUS=up\n");
	assert_message(SERVICE_STATUS, NULL, 7, "EXTEND_TIMEOUT_USEC=7\n");
}

static void add_number(struct service_outbox *outbox, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	service_outbox_add(outbox, text);
}

static void assert_first(struct service_outbox *outbox, const char *wanted)
{
	assert_string_equal(service_outbox_first(outbox), wanted);
	service_outbox_remove(outbox);
}

static void messages_keep_their_order(void **state)
{
	struct service_outbox outbox = {0};
	int i;

	(void)state;
	assert_null(service_outbox_first(&outbox));
	for (i = 0; i < 3 * SERVICE_OUTBOX_MAX; i++) {
		char wanted[16];

		add_number(&outbox, i);
		add_number(&outbox, 1000 + i);
		snprintf(wanted, sizeof(wanted), "%d", i);
		assert_first(&outbox, wanted);
		snprintf(wanted, sizeof(wanted), "%d", 1000 + i);
		assert_first(&outbox, wanted);
	}
	assert_null(service_outbox_first(&outbox));
}

static void the_oldest_message_makes_room(void **state)
{
	struct service_outbox outbox = {0};
	int i;

	(void)state;
	for (i = 0; i < SERVICE_OUTBOX_MAX + 2; i++)
		add_number(&outbox, i);
	assert_first(&outbox, "2");
	for (i = 3; i < SERVICE_OUTBOX_MAX + 1; i++)
		service_outbox_remove(&outbox);
	assert_first(&outbox, "9");
	assert_null(service_outbox_first(&outbox));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_status_names_what_is_not_ready),
		cmocka_unit_test(the_status_names_a_reload_and_its_end),
		cmocka_unit_test(the_status_counts_a_draining_worker_once),
		cmocka_unit_test(a_long_status_is_cut_off),
		cmocka_unit_test(the_states_are_those_of_status),
		cmocka_unit_test(drained_and_failed_slots_are_not_waited_for),
		cmocka_unit_test(messages_have_a_line_each),
		cmocka_unit_test(messages_keep_their_order),
		cmocka_unit_test(the_oldest_message_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
