// SPDX-License-Identifier: MIT
/* A worker waits for the handshakes of the first look. The wait ends when all of them are over. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "policy/handshake_set.h"

#define LOOK(set, ...)                                                                             \
	do {                                                                                       \
		static const uint64_t now[] = {__VA_ARGS__};                                       \
		assert_int_equal(handshake_set_look(set, now, sizeof(now) / sizeof(now[0])), 0);   \
	} while (0)

static void without_a_look_it_is_not_over(void **state)
{
	struct handshake_set set = {0};

	(void)state;
	assert_false(handshake_set_is_over(&set));
}

static void none_at_the_first_look_is_over(void **state)
{
	struct handshake_set set = {0};

	(void)state;
	assert_int_equal(handshake_set_look(&set, NULL, 0), 0);
	assert_true(handshake_set_is_over(&set));
	handshake_set_fini(&set);
	assert_false(handshake_set_is_over(&set));
}

static void later_handshakes_do_not_count(void **state)
{
	struct handshake_set set = {0};

	(void)state;
	LOOK(&set, 3, 5, 9);
	LOOK(&set, 1, 3, 4, 9, 12);
	assert_int_equal(set.count, 2);
	assert_false(handshake_set_is_over(&set));
	LOOK(&set, 1, 2, 4, 9);
	assert_int_equal(set.count, 1);
	assert_true(set.left[0] == 9);
	LOOK(&set, 1, 2, 3, 4, 5, 12);
	assert_true(handshake_set_is_over(&set));
	/* A handshake that is over does not count again. */
	LOOK(&set, 3, 5, 9);
	assert_true(handshake_set_is_over(&set));
	handshake_set_fini(&set);
}

static void large_numbers_are_kept_apart(void **state)
{
	struct handshake_set set = {0};

	(void)state;
	LOOK(&set, 1, 0x100000001, UINT64_MAX);
	LOOK(&set, 0x100000001);
	assert_int_equal(set.count, 1);
	assert_true(set.left[0] == 0x100000001);
	handshake_set_fini(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_look_it_is_not_over),
		cmocka_unit_test(none_at_the_first_look_is_over),
		cmocka_unit_test(later_handshakes_do_not_count),
		cmocka_unit_test(large_numbers_are_kept_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
