// SPDX-License-Identifier: MIT
/* Lines, colours and columns of a text for a screen. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "terminal/styled_text.h"

static struct text_lines lines_of(const char *text)
{
	struct text_lines lines;
	char *copy = strdup(text);

	assert_non_null(copy);
	assert_int_equal(text_lines_init(copy, &lines), 0);
	return lines;
}

static void lines_end_at_newlines(void **state)
{
	struct text_lines lines = lines_of("one\n\nthree\n");

	(void)state;
	assert_int_equal(lines.count, 3);
	assert_string_equal(lines.lines[0], "one");
	assert_string_equal(lines.lines[1], "");
	assert_string_equal(lines.lines[2], "three");
	text_lines_fini(&lines);
	lines = lines_of("one\nno newline");
	assert_int_equal(lines.count, 2);
	assert_string_equal(lines.lines[1], "no newline");
	text_lines_fini(&lines);
	lines = lines_of("");
	assert_int_equal(lines.count, 0);
	text_lines_fini(&lines);
}

static void assert_run(struct text_cursor *cursor, const char *text, enum text_colour colour)
{
	struct text_run run;

	assert_true(text_run_next(cursor, &run));
	assert_int_equal(run.length, strlen(text));
	assert_memory_equal(run.text, text, run.length);
	assert_int_equal(run.colour, colour);
}

static void colours_are_parts_of_a_line(void **state)
{
	struct text_cursor cursor = {.rest = "a \033[32mready\033[0m b\033[31m!\033[33m?"};
	struct text_run run;

	(void)state;
	assert_run(&cursor, "a ", TEXT_PLAIN);
	assert_run(&cursor, "ready", TEXT_GREEN);
	assert_run(&cursor, " b", TEXT_PLAIN);
	assert_run(&cursor, "!", TEXT_RED);
	assert_run(&cursor, "?", TEXT_YELLOW);
	assert_false(text_run_next(&cursor, &run));
	assert_false(text_run_next(&cursor, &run));
}

static void other_sequences_are_left_out(void **state)
{
	struct text_cursor cursor = {.rest = "a\033[2Jb\033[1;31mc\033d\033[32"};
	struct text_run run;

	(void)state;
	assert_run(&cursor, "a", TEXT_PLAIN);
	assert_run(&cursor, "b", TEXT_PLAIN);
	assert_run(&cursor, "c", TEXT_PLAIN);
	assert_run(&cursor, "d", TEXT_PLAIN);
	assert_false(text_run_next(&cursor, &run));
	cursor = (struct text_cursor){.rest = "\033"};
	assert_false(text_run_next(&cursor, &run));
	cursor = (struct text_cursor){.rest = "\033["};
	assert_false(text_run_next(&cursor, &run));
}

static void assert_fit(const char *text, int room, size_t bytes, int columns)
{
	int used = -1;

	assert_int_equal(text_fit(text, strlen(text), room, &used), bytes);
	assert_int_equal(used, columns);
}

static void what_does_not_fit_is_cut_off(void **state)
{
	(void)state;
	assert_fit("hello", 10, 5, 5);
	assert_fit("hello", 5, 5, 5);
	assert_fit("hello", 3, 3, 3);
	assert_fit("hello", 0, 0, 0);
	assert_fit("hello", -1, 0, 0);
	assert_fit("", 3, 0, 0);
}

static void characters_have_columns(void **state)
{
	(void)state;
	assert_fit("\303\244\303\266", 1, 2, 1); /* two letters of two bytes */
	assert_fit("\346\274\242x", 2, 3, 2);	 /* a wide character */
	assert_fit("\346\274\242x", 1, 0, 0);	 /* there is no room for it */
	assert_fit("e\314\201x", 1, 3, 1);	 /* a letter with a combining accent */
	assert_fit("\377\346\274", 3, 3, 3);	 /* invalid bytes: one column each */
}

static int set_locale(void **state)
{
	(void)state;
	return setlocale(LC_ALL, "C.UTF-8") ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_at_newlines),
		cmocka_unit_test(colours_are_parts_of_a_line),
		cmocka_unit_test(other_sequences_are_left_out),
		cmocka_unit_test(what_does_not_fit_is_cut_off),
		cmocka_unit_test(characters_have_columns),
	};

	return cmocka_run_group_tests(tests, set_locale, NULL);
}
