// SPDX-License-Identifier: MIT
/*
 * A program that was compiled with an older sticky.h. Its structures have one member less, and the
 * memory behind them must not be touched.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "../support/clients.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "sticky.h"

/*
 * The structures of the older header: they end with `engine`, `slot`, `dropped_unreadable`,
 * `overflows`.
 */
struct older_options {
	size_t size;
	uint32_t slots, backlog, v4_prefix, v6_prefix;
	const uint8_t *seed;
	sticky_log_fn *log;
	void *log_context;
	uint32_t engine;
};

struct older_where {
	size_t size;
	uint32_t bucket, slot;
};

struct older_counters {
	size_t size;
	uint64_t steered, migrated, empty_slot;
	uint64_t dropped, dropped_empty, dropped_no_table, dropped_unreadable;
};

struct older_slot_info {
	size_t size;
	uint64_t generation;
	bool holding;
	uint32_t buckets, queue;
	uint64_t overflows;
};

#define SAME_PLACE(older, newer, member)                                                           \
	_Static_assert(offsetof(struct older, member) == offsetof(struct newer, member),           \
		       "a member of a public structure has moved")

SAME_PLACE(older_options, sticky_group_options, engine);
SAME_PLACE(older_where, sticky_where, slot);
SAME_PLACE(older_counters, sticky_counters, dropped_unreadable);
SAME_PLACE(older_slot_info, sticky_slot_info, overflows);

#define SLOTS	2
#define PATTERN 0xa5a5a5a5a5a5a5a5

static struct sticky_group *open_older(void)
{
	/* The library must not touch the memory behind the options. */
	struct {
		struct older_options options;
		uint64_t behind[4];
	} older = {.options = {.size = sizeof(older.options), .slots = SLOTS}};
	struct sticky_group *group;

	memset(older.behind, 0xa5, sizeof(older.behind));
	assert_int_equal(sticky_group_open((void *)&older.options, &group), 0);
	assert_true(sticky_group_listen(group, "127.0.0.1:0") >= 0);
	return group;
}

static void options_without_the_later_members_have_their_defaults(void **state)
{
	struct sticky_group *group = open_older();
	struct sticky_worker *worker = worker_start(group, 1);

	(void)state;
	assert_int_equal(sticky_group_slots(group), SLOTS);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

static void an_answer_fits_the_smaller_structure(void **state)
{
	struct {
		struct older_where where;
		uint64_t behind;
	} where = {.where = {.size = sizeof(where.where)}, .behind = PATTERN};
	struct {
		struct older_counters counters;
		uint64_t behind;
	} counters = {.counters = {.size = sizeof(counters.counters)}, .behind = PATTERN};
	struct sticky_group *group = open_older();
	struct sockaddr_storage client = client_address(AF_INET, 1);

	(void)state;
	assert_int_equal(sticky_group_where(group, (void *)&client, (void *)&where.where), 0);
	assert_int_equal(where.where.size, sizeof(where.where));
	assert_int_equal(where.where.slot, group_slot_of(group, &client));
	assert_int_equal(where.behind, PATTERN);

	counters.counters.dropped_unreadable = PATTERN;
	assert_int_equal(sticky_group_counters(group, (void *)&counters.counters), 0);
	assert_int_equal(counters.counters.size, sizeof(counters.counters));
	assert_int_equal(counters.counters.dropped_unreadable, 0);
	assert_int_equal(counters.behind, PATTERN);
	sticky_group_close(group);
}

static void an_array_has_elements_of_the_smaller_size(void **state)
{
	struct sticky_group *group = open_older();
	struct {
		struct older_slot_info infos[SLOTS];
		uint64_t behind;
	} older = {.infos = {{.size = sizeof(older.infos[0])}}, .behind = PATTERN};
	uint32_t slot;

	(void)state;
	assert_int_equal(sticky_group_slot_infos(group, SLOTS, (void *)older.infos), 0);
	for (slot = 0; slot < SLOTS; slot++) {
		assert_int_equal(older.infos[slot].size, sizeof(older.infos[0]));
		assert_int_equal(older.infos[slot].buckets, STICKY_BUCKET_COUNT / SLOTS);
		assert_true(older.infos[slot].holding);
		assert_int_equal(older.infos[slot].overflows, 0);
	}
	assert_int_equal(older.behind, PATTERN);
	sticky_group_close(group);
}

/* No compiler generates such a size. A member that ends behind it is not written. */
static void a_size_that_ends_within_a_member_leaves_it_out(void **state)
{
	struct sticky_group *group = open_older();
	struct sockaddr_storage client = client_address(AF_INET, 1);
	struct sticky_where where = {.size = sizeof(where) - 1, .key = "untouched"};
	struct sticky_counters counters = {.size = sizeof(counters) - 1, .dispatched = PATTERN};

	(void)state;
	assert_int_equal(sticky_group_where(group, (void *)&client, &where), 0);
	assert_string_equal(where.key, "untouched");
	assert_int_equal(sticky_group_counters(group, &counters), 0);
	assert_int_equal(counters.dispatched, PATTERN);
	sticky_group_close(group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_without_the_later_members_have_their_defaults),
		cmocka_unit_test(an_answer_fits_the_smaller_structure),
		cmocka_unit_test(an_array_has_elements_of_the_smaller_size),
		cmocka_unit_test(a_size_that_ends_within_a_member_leaves_it_out),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
