// SPDX-License-Identifier: MIT
/* Why the supervisor ended a worker: each reason has its text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "policy/end_reason.h"

static const struct end_facts facts = {
	.ready_timeout_ms = 5000,
	.watchdog_ms = 700,
	.hang_timeout_ms = 900,
	.sent_alive = true,
	.passed_by = "--behind-proxy=xff",
	.not_ready_reason = "",
};

static void each_reason_has_a_text_of_its_own(void **state)
{
	char all[END_REASON_COUNT][256];
	int reason, other;

	(void)state;
	for (reason = END_NONE + 1; reason < END_REASON_COUNT; reason++) {
		end_reason_describe((enum end_reason)reason, &facts, sizeof(all[0]), all[reason]);
		assert_true(all[reason][0]);
		for (other = END_NONE + 1; other < reason; other++)
			assert_string_not_equal(all[reason], all[other]);
	}
}

static void the_facts_are_told(void **state)
{
	char text[256];

	(void)state;
	end_reason_describe(END_SILENT, &facts, sizeof(text), text);
	assert_string_equal(text, "sent no WATCHDOG=1 for 700 ms (--watchdog)");
	end_reason_describe(END_HUNG, &facts, sizeof(text), text);
	assert_string_equal(text, "accepted none of the connections that waited for it for 900 ms "
				  "(--hang-timeout)");
	end_reason_describe(END_TAKES_NO_CONNECTIONS, &facts, sizeof(text), text);
	assert_string_equal(text, "takes no passed connections, and here they are passed "
				  "(--behind-proxy=xff)");
}

static void what_was_missing_for_readiness_is_told(void **state)
{
	struct end_facts known = facts;
	const char *usual, *hint;
	char text[256];

	(void)state;
	usual = end_reason_describe(END_NOT_READY, &facts, sizeof(text), text);
	assert_string_equal(text, "did not get ready within 5000 ms (--ready-timeout)");
	assert_non_null(strstr(usual, "READY=1"));
	known.not_ready_reason = "it listens on another port";
	known.not_ready_hint = "use port 8080";
	hint = end_reason_describe(END_NOT_READY, &known, sizeof(text), text);
	assert_string_equal(text, "did not get ready within 5000 ms (--ready-timeout): it listens "
				  "on another port");
	assert_string_equal(hint, "use port 8080");
}

static void one_that_never_sent_watchdog_has_a_hint(void **state)
{
	struct end_facts never = facts;
	char text[256];

	(void)state;
	assert_null(end_reason_describe(END_SILENT, &facts, sizeof(text), text));
	never.sent_alive = false;
	assert_non_null(strstr(end_reason_describe(END_SILENT, &never, sizeof(text), text),
			       "--on-hang=restart"));
}

static void a_text_is_cut_to_its_room(void **state)
{
	char text[8];

	(void)state;
	assert_null(end_reason_describe(END_NOT_ANSWERED, &facts, sizeof(text), text));
	assert_string_equal(text, "could n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reason_has_a_text_of_its_own),
		cmocka_unit_test(the_facts_are_told),
		cmocka_unit_test(what_was_missing_for_readiness_is_told),
		cmocka_unit_test(one_that_never_sent_watchdog_has_a_hint),
		cmocka_unit_test(a_text_is_cut_to_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
