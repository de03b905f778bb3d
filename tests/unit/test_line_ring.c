// SPDX-License-Identifier: MIT
/*
 * The last lines of workers. Each slot keeps its own lines, of a bounded size, and a reader can see
 * gaps.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/line_ring.h"

static struct line_ring *ring;

static int open_ring(void **state)
{
	(void)state;
	return line_ring_open(1024, &ring);
}

static int close_ring(void **state)
{
	(void)state;
	line_ring_close(ring);
	return 0;
}

static void add(uint32_t slot, const char *text)
{
	const struct line_origin origin = {.slot = slot, .generation = 1, .stream = "stdout"};

	line_ring_add(ring, &origin, 1000, text, strlen(text));
}

/*
 * Check all lines from a number on. They are written as one text, each with its slot: "0:a 1:b ".
 */
static void expect(uint32_t slot, uint64_t number, const char *expected)
{
	const struct ring_line *line = line_ring_from(ring, slot, number);
	char text[1024] = "";
	size_t length = 0;

	for (; line; line = line_ring_next(line, slot))
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%u:%.*s ",
					   line->origin.slot, (int)line->length, line->bytes);
	assert_string_equal(text, expected);
}

static void lines_come_in_their_order(void **state)
{
	(void)state;
	add(0, "a\n");
	add(1, "b\n");
	add(0, "c\n");
	expect(LINE_RING_ALL, 1, "0:a 1:b 0:c ");
	expect(0, 1, "0:a 0:c ");
	expect(1, 1, "1:b ");
	expect(2, 1, "");
	expect(0, 2, "0:c ");
	expect(LINE_RING_ALL, 4, "");
}

static void the_last_lines_are_found(void **state)
{
	(void)state;
	assert_int_equal(line_ring_last(ring, LINE_RING_ALL, 10), 1);
	add(0, "a\n");
	add(1, "b\n");
	add(0, "c\n");
	assert_int_equal(line_ring_last(ring, LINE_RING_ALL, 1), 3);
	assert_int_equal(line_ring_last(ring, LINE_RING_ALL, 2), 2);
	assert_int_equal(line_ring_last(ring, LINE_RING_ALL, 10), 1);
	assert_int_equal(line_ring_last(ring, 0, 2), 1);
	assert_int_equal(line_ring_last(ring, 1, 1), 2);
	assert_int_equal(line_ring_last(ring, 2, 1), 4); /* none: number of the next one */
	assert_int_equal(line_ring_last(ring, 5000, 1), 4);
	assert_int_equal(line_ring_last(ring, 0, 0), 4);
	assert_int_equal(line_ring_count(ring, LINE_RING_ALL), 3);
	assert_int_equal(line_ring_count(ring, 0), 2);
	assert_int_equal(line_ring_count(ring, 5000), 0);
}

static void a_line_says_what_it_is(void **state)
{
	static char longer[LINE_RING_LINE_MAX + 2];
	const struct ring_line *line;

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	add(3, "");
	add(3, "\n");
	add(3, "part");
	add(3, longer);
	line = line_ring_from(ring, 3, 1);
	assert_int_equal(line->length, 0);
	assert_true(line->is_part);
	line = line_ring_next(line, 3);
	assert_int_equal(line->length, 0);
	assert_false(line->is_part);
	line = line_ring_next(line, 3);
	assert_true(line->is_part && !line->is_cut);
	line = line_ring_next(line, 3);
	assert_true(line->is_part && line->is_cut);
	assert_int_equal(line->length, LINE_RING_LINE_MAX);
	assert_int_equal(line->slot_number, 4);
	assert_int_equal(line->time_ms, 1000);
}

static void a_slot_that_prints_much_displaces_its_own_lines(void **state)
{
	const struct ring_line *line;
	char text[64];
	int i;

	(void)state;
	add(1, "quiet\n");
	for (i = 0; i < 20000; i++) {
		snprintf(text, sizeof(text), "line %05d\n", i);
		add(0, text);
	}
	expect(1, 1, "1:quiet ");
	line = line_ring_from(ring, 0, 1);
	assert_non_null(line);
	assert_true(line->slot_number > 10000); /* the lines from 1 on are missing */
	assert_int_equal(line->number, line->slot_number + 1);
	assert_int_equal(line_ring_last(ring, 0, 1), 20001);
}

/* All slots together are bounded, too. */
static void all_slots_are_bounded(void **state)
{
	static char text[LINE_RING_LINE_MAX];
	const struct ring_line *line;
	size_t sum = 0;
	uint32_t slot, i;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	for (i = 0; i < 7; i++)
		for (slot = 0; slot < 1024; slot++)
			add(slot, text);
	for (line = line_ring_from(ring, LINE_RING_ALL, 1); line;
	     line = line_ring_next(line, LINE_RING_ALL))
		sum += line->length;
	assert_true(sum <= LINE_RING_MAX);
	assert_true(sum > LINE_RING_MAX / 4);
	for (slot = 0; slot < 1024; slot++) /* each has its share */
		assert_non_null(line_ring_from(ring, slot, 1));
}

static void count_call(void *context)
{
	++*(int *)context;
}

static void each_line_is_told(void **state)
{
	int calls = 0;

	(void)state;
	line_ring_watch(ring, count_call, &calls);
	add(0, "a\n");
	add(7, "b\n");
	assert_int_equal(calls, 2);
	line_ring_watch(ring, NULL, NULL);
	add(7, "b\n");
	assert_int_equal(calls, 2);
}

#define RING_TEST(function) cmocka_unit_test_setup_teardown(function, open_ring, close_ring)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(lines_come_in_their_order),
		RING_TEST(the_last_lines_are_found),
		RING_TEST(a_line_says_what_it_is),
		RING_TEST(a_slot_that_prints_much_displaces_its_own_lines),
		RING_TEST(all_slots_are_bounded),
		RING_TEST(each_line_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
