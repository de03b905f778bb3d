// SPDX-License-Identifier: MIT
/* Error messages are written, extended, and cut off when there is no more room. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/error_text.h"

/* A message with guard bytes behind it. */
struct guarded {
	struct error_text error;
	char guard[8];
};

static void a_message_replaces_the_previous_one(void **state)
{
	struct error_text error;

	(void)state;
	error_text_set(&error, "%s: a long message", "first");
	error_text_set(&error, "line %d", 2);
	assert_string_equal(error.text, "line 2");
}

static void an_addition_stands_at_the_end(void **state)
{
	struct error_text error;

	(void)state;
	error_text_set(&error, "what is wrong\n");
	error_text_add(&error, "what to %s", "do");
	assert_string_equal(error.text, "what is wrong\nwhat to do");
}

static void too_long_a_message_is_cut_off(void **state)
{
	char path[2 * ERROR_TEXT_SIZE];
	struct guarded guarded;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	memset(&guarded, '#', sizeof(guarded));
	error_text_set(&guarded.error, "%s", path);
	assert_int_equal(strlen(guarded.error.text), ERROR_TEXT_SIZE - 1);
	assert_memory_equal(guarded.guard, "########", sizeof(guarded.guard));
}

static void an_addition_is_cut_off_too(void **state)
{
	struct guarded guarded;
	size_t i;

	(void)state;
	memset(&guarded, '#', sizeof(guarded));
	error_text_set(&guarded.error, "<");
	for (i = 0; i < ERROR_TEXT_SIZE; i++)
		error_text_add(&guarded.error, "%s", "ab");
	assert_int_equal(strlen(guarded.error.text), ERROR_TEXT_SIZE - 1);
	assert_memory_equal(guarded.error.text, "<abab", 5);
	assert_memory_equal(guarded.guard, "########", sizeof(guarded.guard));
}

static void lines_become_one(void **state)
{
	struct guarded guarded;

	(void)state;
	memset(&guarded, '#', sizeof(guarded));
	error_text_set(&guarded.error, "in use\nanother has it: stop it\nthe end");
	error_text_join_lines(&guarded.error);
	assert_string_equal(guarded.error.text, "in use; another has it: stop it; the end");
	error_text_join_lines(&guarded.error);
	assert_string_equal(guarded.error.text, "in use; another has it: stop it; the end");
	memset(guarded.error.text, '\n', ERROR_TEXT_SIZE - 1);
	guarded.error.text[ERROR_TEXT_SIZE - 1] = '\0';
	error_text_join_lines(&guarded.error);
	assert_int_equal(strlen(guarded.error.text), ERROR_TEXT_SIZE - 1);
	assert_memory_equal(guarded.error.text, "; ; ", 4);
	assert_memory_equal(guarded.guard, "########", sizeof(guarded.guard));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_replaces_the_previous_one),
		cmocka_unit_test(an_addition_stands_at_the_end),
		cmocka_unit_test(too_long_a_message_is_cut_off),
		cmocka_unit_test(an_addition_is_cut_off_too),
		cmocka_unit_test(lines_become_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
