// SPDX-License-Identifier: MIT
/* How `top` reacts to each key. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "terminal/top_model.h"

#define LINES 50
#define ROOM  20

static enum top_result press(struct top_model *model, int key)
{
	return top_model_key(model, key, LINES, ROOM);
}

static void type(struct top_model *model, const char *keys)
{
	for (; *keys; keys++)
		assert_int_equal(press(model, *keys), TOP_GO_ON);
}

static void assert_prompt(const struct top_model *model, const char *wanted)
{
	char prompt[TOP_MESSAGE_SIZE];

	top_model_prompt(model, prompt);
	assert_string_equal(prompt, wanted);
}

static void assert_target(const struct top_model *model, const char *wanted)
{
	char target[64];

	top_model_target(model, target);
	assert_string_equal(target, wanted);
}

static void an_order_is_asked_back(void **state)
{
	struct top_model model = {.slots = 4};

	(void)state;
	type(&model, "r");
	assert_prompt(&model, "reload all slots? y: yes, other keys: no");
	assert_int_equal(press(&model, 'y'), TOP_ACT);
	assert_target(&model, "/v1/reload");
	assert_prompt(&model, "");
}

static void only_y_is_yes(void **state)
{
	static const int others[] = {'n', 'r', 'q', ' ', '\n', TOP_KEY_ESCAPE, TOP_KEY_DOWN};
	struct top_model model = {.slots = 4};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		type(&model, "r");
		assert_int_equal(press(&model, others[i]), TOP_GO_ON);
		assert_int_equal(model.mode, TOP_SHOWS_STATUS);
		assert_int_equal(model.first, 0);
	}
}

static void orders_of_a_slot_ask_which(void **state)
{
	static const struct {
		const char *keys, *target;
	} orders[] = {{"d1\n", "/v1/drain?slot=1"},
		      {"e13\r", "/v1/ready?slot=13"},
		      {"x1023\n", "/v1/restart?slot=1023"}};
	struct top_model model = {.slots = 1024};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		type(&model, orders[i].keys);
		assert_int_equal(model.mode, TOP_ASKS_CONSENT);
		assert_int_equal(press(&model, 'y'), TOP_ACT);
		assert_target(&model, orders[i].target);
	}
	type(&model, "d7\n");
	assert_prompt(&model, "drain slot 7? y: yes, other keys: no");
}

static void a_number_can_be_mended(void **state)
{
	struct top_model model = {.slots = 4};

	(void)state;
	type(&model, "d12");
	press(&model, TOP_KEY_BACKSPACE);
	type(&model, "zq?");
	assert_prompt(&model, "drain which slot? 1_");
	press(&model, '\b');
	press(&model, TOP_KEY_BACKSPACE);
	assert_prompt(&model, "drain which slot? _");
	type(&model, "123456789");
	assert_prompt(&model, "drain which slot? 1234_");
	press(&model, TOP_KEY_ESCAPE);
	assert_int_equal(model.mode, TOP_SHOWS_STATUS);
	type(&model, "d\n");
	assert_int_equal(model.mode, TOP_SHOWS_STATUS);
	assert_prompt(&model, "");
}

static void a_slot_must_exist(void **state)
{
	struct top_model model = {.slots = 4};

	(void)state;
	type(&model, "x4\n");
	assert_int_equal(model.mode, TOP_SHOWS_STATUS);
	assert_prompt(&model, "there is no slot 4; the slots are 0 to 3");
	type(&model, "j");
	assert_prompt(&model, "");
	type(&model, "x3\n");
	assert_int_equal(model.mode, TOP_ASKS_CONSENT);
}

static void lines_move_within_their_bounds(void **state)
{
	static const struct {
		int key;
		size_t first;
	} steps[] = {
		{TOP_KEY_UP, 0},    {TOP_KEY_DOWN, 1},	     {TOP_KEY_DOWN, 2},
		{TOP_KEY_UP, 1},    {TOP_KEY_PAGE_DOWN, 21}, {TOP_KEY_PAGE_DOWN, 30},
		{TOP_KEY_DOWN, 30}, {TOP_KEY_PAGE_UP, 10},   {TOP_KEY_PAGE_UP, 0},
		{TOP_KEY_END, 30},  {TOP_KEY_HOME, 0},
	};
	struct top_model model = {.slots = 4};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_int_equal(press(&model, steps[i].key), TOP_GO_ON);
		assert_int_equal(model.first, steps[i].first);
	}
	assert_int_equal(top_model_key(&model, TOP_KEY_END, 3, ROOM), TOP_GO_ON);
	assert_int_equal(model.first, 0);
	model.first = 40;
	top_model_fit(&model, 45, 20);
	assert_int_equal(model.first, 25);
}

static void other_keys(void **state)
{
	struct top_model model = {.slots = 4};

	(void)state;
	assert_int_equal(press(&model, 'q'), TOP_QUIT);
	assert_int_equal(press(&model, ' '), TOP_REFRESH);
	type(&model, "?");
	assert_int_equal(model.mode, TOP_SHOWS_HELP);
	type(&model, "q");
	assert_int_equal(model.mode, TOP_SHOWS_STATUS);
	type(&model, "zY1\n");
	assert_int_equal(model.mode, TOP_SHOWS_STATUS);
}

/* A terminal has 80 columns, and 24 lines of which two are the footer. */
static void help_and_keys_fit(void **state)
{
	const char *line = top_help();
	int lines = 0;

	(void)state;
	assert_true(strlen(top_keys()) < 80);
	for (; *line; line += strcspn(line, "\n") + 1, lines++)
		assert_true(strcspn(line, "\n") <= 80);
	assert_in_range(lines, 10, 22);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_order_is_asked_back),
		cmocka_unit_test(only_y_is_yes),
		cmocka_unit_test(orders_of_a_slot_ask_which),
		cmocka_unit_test(a_number_can_be_mended),
		cmocka_unit_test(a_slot_must_exist),
		cmocka_unit_test(lines_move_within_their_bounds),
		cmocka_unit_test(other_keys),
		cmocka_unit_test(help_and_keys_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
