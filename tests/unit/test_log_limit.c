// SPDX-License-Identifier: MIT
/* How often a line is logged that strangers can cause. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/log_limit.h"

#define BEGUN_MS 1000

static void the_first_is_logged_and_the_next_counts_those_between(void **state)
{
	struct log_limit limit = {0};
	uint64_t left_out = 77;
	int i;

	(void)state;
	assert_true(log_limit_allows(&limit, BEGUN_MS, &left_out));
	assert_int_equal(left_out, 0);
	left_out = 77;
	for (i = 0; i < 11; i++)
		assert_false(log_limit_allows(&limit, BEGUN_MS + LOG_LIMIT_REST_MS - 1, &left_out));
	assert_int_equal(left_out, 77);
	assert_true(log_limit_allows(&limit, BEGUN_MS + LOG_LIMIT_REST_MS, &left_out));
	assert_int_equal(left_out, 11);
	assert_true(log_limit_allows(&limit, BEGUN_MS + 2 * LOG_LIMIT_REST_MS, &left_out));
	assert_int_equal(left_out, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_is_logged_and_the_next_counts_those_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
