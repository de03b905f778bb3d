// SPDX-License-Identifier: MIT
/*
 * A rolling reload: it takes the slots in order, a limited number at a time, stops at a failure,
 * and ends at the right time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "policy/reload_plan.h"

static struct reload reload;

static void begin_all(uint32_t slots, uint32_t parallel)
{
	bool chosen[STICKY_SLOTS_LIMIT];

	memset(chosen, 1, sizeof(chosen));
	memset(&reload, 0, sizeof(reload));
	reload_begin(&reload, chosen, slots, parallel);
}

static const bool none_full[STICKY_SLOTS_LIMIT];

static int next_slot(void)
{
	return reload_next(&reload, none_full);
}

static void one_at_a_time(void **state)
{
	int slot;

	(void)state;
	begin_all(4, 1);
	assert_int_equal(reload.state, RELOAD_RUNNING);
	assert_int_equal(reload.of, 4);
	for (slot = 0; slot < 4; slot++) {
		assert_int_equal(next_slot(), slot);
		assert_int_equal(next_slot(), -1);
		assert_int_equal(reload.done, slot);
		assert_int_equal(reload_note_ready(&reload, (uint32_t)slot), slot == 3);
	}
	assert_int_equal(reload.state, RELOAD_IDLE);
	assert_int_equal(reload.done, 4);
	assert_int_equal(next_slot(), -1);
	assert_string_equal(reload.error.text, "");
}

static void three_at_a_time(void **state)
{
	(void)state;
	begin_all(5, 3);
	assert_int_equal(next_slot(), 0);
	assert_int_equal(next_slot(), 1);
	assert_int_equal(next_slot(), 2);
	assert_int_equal(next_slot(), -1);
	assert_int_equal(reload.running, 3);
	assert_false(reload_note_ready(&reload, 1));
	assert_int_equal(next_slot(), 3);
	assert_int_equal(next_slot(), -1);
	assert_false(reload_note_ready(&reload, 0));
	assert_false(reload_note_ready(&reload, 3));
	assert_int_equal(next_slot(), 4);
	assert_int_equal(next_slot(), -1);
	assert_false(reload_note_ready(&reload, 2));
	assert_true(reload_note_ready(&reload, 4));
	assert_int_equal(reload.state, RELOAD_IDLE);
}

static void all_at_once(void **state)
{
	int slot;

	(void)state;
	begin_all(STICKY_SLOTS_LIMIT, STICKY_SLOTS_LIMIT);
	for (slot = 0; slot < STICKY_SLOTS_LIMIT; slot++)
		assert_int_equal(next_slot(), slot);
	assert_int_equal(next_slot(), -1);
	for (slot = STICKY_SLOTS_LIMIT - 1; slot > 0; slot--)
		assert_false(reload_note_ready(&reload, (uint32_t)slot));
	assert_true(reload_note_ready(&reload, 0));
	assert_int_equal(reload.done, STICKY_SLOTS_LIMIT);
}

static void only_the_chosen_ones(void **state)
{
	static const bool chosen[6] = {false, true, false, false, true, false};

	(void)state;
	memset(&reload, 0, sizeof(reload));
	reload_begin(&reload, chosen, 6, 6);
	assert_int_equal(reload.of, 2);
	assert_int_equal(next_slot(), 1);
	assert_int_equal(next_slot(), 4);
	assert_int_equal(next_slot(), -1);
	assert_false(reload_note_ready(&reload, 4));
	assert_true(reload_note_ready(&reload, 1));
}

static void nobody_chosen_is_over_at_once(void **state)
{
	static const bool chosen[8];

	(void)state;
	begin_all(2, 1);
	next_slot();
	assert_true(reload_note_failed(&reload, 0, "it died"));
	reload_begin(&reload, chosen, 8, 1);
	assert_int_equal(reload.state, RELOAD_IDLE);
	assert_int_equal(reload.of, 0);
	assert_string_equal(reload.error.text, "");
	assert_int_equal(next_slot(), -1);
}

static void a_failure_stops_what_has_not_begun(void **state)
{
	(void)state;
	begin_all(6, 3);
	next_slot();
	next_slot();
	next_slot();
	assert_false(reload_note_failed(&reload, 1, "exit status 3"));
	assert_int_equal(reload.state, RELOAD_RUNNING);
	assert_int_equal(next_slot(), -1);
	assert_false(reload_note_ready(&reload, 0));
	assert_int_equal(next_slot(), -1);
	assert_true(reload_note_ready(&reload, 2));
	assert_int_equal(reload.state, RELOAD_FAILED);
	assert_int_equal(reload.done, 2);
	assert_int_equal(reload.of, 6);
	assert_string_equal(reload.error.text, "slot 1: exit status 3");
	assert_int_equal(next_slot(), -1);
}

static void a_failed_one_can_begin_anew(void **state)
{
	bool chosen[3] = {true, true, true};

	(void)state;
	begin_all(3, 1);
	next_slot();
	assert_true(reload_note_failed(&reload, 0, "no"));
	reload_begin(&reload, chosen, 3, 1);
	assert_int_equal(reload.state, RELOAD_RUNNING);
	assert_int_equal(reload.done, 0);
	assert_string_equal(reload.error.text, "");
	assert_int_equal(next_slot(), 0);
}

static void a_long_reason_is_cut(void **state)
{
	char why[2 * ERROR_TEXT_SIZE];

	(void)state;
	memset(why, 'x', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	begin_all(1, 1);
	next_slot();
	assert_true(reload_note_failed(&reload, 0, why));
	assert_int_equal(strlen(reload.error.text), ERROR_TEXT_SIZE - 1);
	assert_memory_equal(reload.error.text, "slot 0: xxx", 11);
}

static void a_dropped_one_is_not_begun(void **state)
{
	(void)state;
	begin_all(3, 1);
	assert_false(reload_drop(&reload, 1));
	assert_int_equal(reload.of, 2);
	assert_int_equal(next_slot(), 0);
	assert_false(reload_note_ready(&reload, 0));
	assert_int_equal(next_slot(), 2);
	assert_true(reload_note_ready(&reload, 2));
	assert_int_equal(reload.done, 2);
}

static void a_dropped_one_that_runs_makes_room(void **state)
{
	(void)state;
	begin_all(2, 1);
	assert_int_equal(next_slot(), 0);
	assert_false(reload_drop(&reload, 0));
	assert_int_equal(reload.of, 1);
	assert_int_equal(next_slot(), 1);
	/* Later events of this slot do not concern the reload. */
	assert_false(reload_note_failed(&reload, 0, "late"));
	assert_false(reload_note_ready(&reload, 0));
	assert_int_equal(reload.done, 0);
	assert_true(reload_drop(&reload, 1));
	assert_int_equal(reload.state, RELOAD_IDLE);
	assert_int_equal(reload.of, 0);
	assert_string_equal(reload.error.text, "");
}

static void dropping_the_last_chosen_one_ends_it(void **state)
{
	(void)state;
	begin_all(2, 1);
	next_slot();
	assert_false(reload_note_ready(&reload, 0));
	assert_true(reload_drop(&reload, 1));
	assert_int_equal(reload.state, RELOAD_IDLE);
	assert_false(reload_drop(&reload, 1));
	assert_int_equal(reload.done, 1);
	assert_int_equal(reload.of, 1);
}

static void others_do_not_count(void **state)
{
	(void)state;
	begin_all(2, 2);
	assert_int_equal(next_slot(), 0);
	/* slot 1 has not begun yet, and slot 7 is not part of the reload */
	assert_false(reload_note_ready(&reload, 1));
	assert_false(reload_note_ready(&reload, 7));
	assert_false(reload_note_failed(&reload, 7, "no"));
	assert_false(reload_drop(&reload, 7));
	assert_int_equal(reload.done, 0);
	assert_int_equal(reload.of, 2);
	assert_int_equal(next_slot(), 1);
}

static void names_are_those_of_the_interface(void **state)
{
	(void)state;
	assert_string_equal(reload_state_name(RELOAD_IDLE), "idle");
	assert_string_equal(reload_state_name(RELOAD_RUNNING), "running");
	assert_string_equal(reload_state_name(RELOAD_FAILED), "failed");
}

/* ---- A model, and random events --------------------------------------------------- */

#define MODEL_SLOTS 12

enum part { NO_PART, TO_BEGIN, BEGUN, IS_DONE, HAS_FAILED, DROPPED, PART_COUNT };

struct model {
	enum part part[MODEL_SLOTS];
	uint32_t parallel;
	bool over;
};

static uint32_t count_of(const struct model *model, enum part part)
{
	uint32_t slot, count = 0;

	for (slot = 0; slot < MODEL_SLOTS; slot++)
		count += model->part[slot] == part;
	return count;
}

static void begin_at_random(struct model *model)
{
	bool chosen[MODEL_SLOTS];
	uint32_t slot;

	*model = (struct model){.parallel = 1 + (uint32_t)rand() % MODEL_SLOTS};
	for (slot = 0; slot < MODEL_SLOTS; slot++) {
		chosen[slot] = rand() % 3 != 0;
		model->part[slot] = chosen[slot] ? TO_BEGIN : NO_PART;
	}
	reload_begin(&reload, chosen, MODEL_SLOTS, model->parallel);
	model->over = count_of(model, TO_BEGIN) == 0;
}

/* Must the last event have ended the reload? */
static bool ends_now(struct model *model)
{
	bool was_over = model->over;

	model->over = was_over || (!count_of(model, BEGUN) &&
				   (count_of(model, HAS_FAILED) || !count_of(model, TO_BEGIN)));
	return model->over && !was_over;
}

static void expect_next(struct model *model)
{
	int slot = next_slot();
	int first;

	for (first = 0; first < MODEL_SLOTS && model->part[first] != TO_BEGIN; first++)
		;
	if (model->over || first == MODEL_SLOTS || count_of(model, HAS_FAILED) ||
	    count_of(model, BEGUN) == model->parallel) {
		assert_int_equal(slot, -1);
		return;
	}
	assert_int_equal(slot, first);
	model->part[slot] = BEGUN;
}

static void tell(struct model *model, uint32_t slot)
{
	enum part *part = &model->part[slot];
	bool ended;

	switch (rand() % 8) {
	case 0:
		if (!model->over && (*part == TO_BEGIN || *part == BEGUN))
			*part = DROPPED;
		ended = reload_drop(&reload, slot);
		break;
	case 1:
		if (*part == BEGUN)
			*part = HAS_FAILED;
		ended = reload_note_failed(&reload, slot, "model");
		break;
	default:
		if (*part == BEGUN)
			*part = IS_DONE;
		ended = reload_note_ready(&reload, slot);
		break;
	}
	assert_int_equal(ended, ends_now(model));
}

static void compare(const struct model *model)
{
	uint32_t failed = count_of(model, HAS_FAILED);

	assert_true(reload.running <= model->parallel);
	assert_int_equal(reload.running, count_of(model, BEGUN));
	assert_int_equal(reload.done, count_of(model, IS_DONE));
	assert_int_equal(reload.of,
			 MODEL_SLOTS - count_of(model, NO_PART) - count_of(model, DROPPED));
	assert_int_equal(reload.state, !model->over ? RELOAD_RUNNING
				       : failed	    ? RELOAD_FAILED
						    : RELOAD_IDLE);
	assert_int_equal(reload.error.text[0] != '\0', failed != 0);
}

static void random_events_keep_the_invariants(void **state)
{
	struct model model;
	int round, event;

	(void)state;
	srand(2);
	memset(&reload, 0, sizeof(reload));
	for (round = 0; round < 2000; round++) {
		begin_at_random(&model);
		compare(&model);
		for (event = 0; event < 400 && !model.over; event++) {
			if (rand() % 2)
				expect_next(&model);
			else
				tell(&model, (uint32_t)rand() % MODEL_SLOTS);
			compare(&model);
		}
		assert_true(model.over);
		/* Events that come too late have no effect. */
		tell(&model, (uint32_t)rand() % MODEL_SLOTS);
		expect_next(&model);
		compare(&model);
	}
}

static void one_that_is_abandoned_has_failed(void **state)
{
	bool chosen[STICKY_SLOTS_LIMIT] = {true, true, true};

	(void)state;
	reload = (struct reload){0};
	assert_false(reload_abandon(&reload, "why"));
	assert_int_equal(reload.state, RELOAD_IDLE);
	reload_begin(&reload, chosen, 3, 2);
	assert_int_equal(next_slot(), 0);
	assert_true(reload_abandon(&reload, "why"));
	assert_int_equal(reload.state, RELOAD_FAILED);
	assert_string_equal(reload.error.text, "why");
	assert_int_equal(next_slot(), -1);
	assert_false(reload_note_ready(&reload, 0));
	reload_begin(&reload, chosen, 3, 1);
	assert_int_equal(next_slot(), 0);
}

static void a_full_slot_waits_and_the_others_go_on(void **state)
{
	bool is_full[STICKY_SLOTS_LIMIT] = {[0] = true, [2] = true};

	(void)state;
	begin_all(3, 1);
	assert_int_equal(reload_waits_for(&reload, is_full), 0);
	assert_int_equal(reload_next(&reload, is_full), 1);
	/* The reload waits for the new worker of slot 1, and not for room. */
	assert_int_equal(reload_waits_for(&reload, is_full), -1);
	assert_false(reload_note_ready(&reload, 1));
	assert_int_equal(reload_next(&reload, is_full), -1);
	assert_int_equal(reload.state, RELOAD_RUNNING);
	assert_int_equal(reload_waits_for(&reload, is_full), 0);
	is_full[0] = false;
	assert_int_equal(reload_next(&reload, is_full), 0);
	assert_false(reload_note_ready(&reload, 0));
	assert_int_equal(reload_waits_for(&reload, is_full), 2);
	is_full[2] = false;
	assert_int_equal(reload_next(&reload, is_full), 2);
	assert_true(reload_note_ready(&reload, 2));
	assert_int_equal(reload_waits_for(&reload, is_full), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_is_abandoned_has_failed),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(a_full_slot_waits_and_the_others_go_on),
		cmocka_unit_test(three_at_a_time),
		cmocka_unit_test(all_at_once),
		cmocka_unit_test(only_the_chosen_ones),
		cmocka_unit_test(nobody_chosen_is_over_at_once),
		cmocka_unit_test(a_failure_stops_what_has_not_begun),
		cmocka_unit_test(a_failed_one_can_begin_anew),
		cmocka_unit_test(a_long_reason_is_cut),
		cmocka_unit_test(a_dropped_one_is_not_begun),
		cmocka_unit_test(a_dropped_one_that_runs_makes_room),
		cmocka_unit_test(dropping_the_last_chosen_one_ends_it),
		cmocka_unit_test(others_do_not_count),
		cmocka_unit_test(names_are_those_of_the_interface),
		cmocka_unit_test(random_events_keep_the_invariants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
