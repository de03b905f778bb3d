// SPDX-License-Identifier: MIT
/* Why a worker does not accept, in words. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/hang_cause.h"

static void causes_by_what_the_process_does(void **state)
{
	(void)state;
	assert_int_equal(hang_cause_of('T', 0, 1000), HANG_STOPPED);
	assert_int_equal(hang_cause_of('t', 900, 1000), HANG_STOPPED);
	assert_int_equal(hang_cause_of('R', 1000, 1000), HANG_SPINS);
	/* The worker shares the processor with 19 other processes. */
	assert_int_equal(hang_cause_of('R', 50, 1000), HANG_SPINS);
	/* The worker happens to run at this moment. */
	assert_int_equal(hang_cause_of('R', 49, 1000), HANG_SLEEPS);
	assert_int_equal(hang_cause_of('S', 1000, 1000), HANG_SLEEPS);
	assert_int_equal(hang_cause_of('D', 0, 1000), HANG_SLEEPS);
}

static void each_has_words_of_its_own(void **state)
{
	int cause, other;

	(void)state;
	for (cause = 0; cause < HANG_CAUSE_COUNT; cause++)
		for (other = 0; other < cause; other++) {
			assert_string_not_equal(hang_cause_text((enum hang_cause)cause),
						hang_cause_text((enum hang_cause)other));
			assert_string_not_equal(hang_cause_hint((enum hang_cause)cause),
						hang_cause_hint((enum hang_cause)other));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(causes_by_what_the_process_does),
		cmocka_unit_test(each_has_words_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
