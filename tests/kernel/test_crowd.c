// SPDX-License-Identifier: MIT
/* A slot changes hands all the time, while clients connect without a pause. No client is lost. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/group_internal.h"
#include "../support/clients.h"
#include "../support/groups.h"
#include "../support/worker_threads.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "sticky.h"

#define SLOTS_MAX 4
#define CHANGES	  500

/*
 * Replace the worker of a slot. The next worker is opened before the previous one is closed
 * (reload), or after that (crash).
 */
static void change_hands(struct sticky_group *group, struct worker_thread **thread, bool is_reload)
{
	struct worker_thread *previous = *thread, *next = malloc(sizeof(*next));
	uint32_t slot = sticky_worker_slot(previous->worker);

	assert_non_null(next);
	if (is_reload)
		assert_int_equal(worker_thread_start(group, slot, next), 0);
	assert_int_equal(worker_thread_end(previous), 0);
	if (!is_reload)
		assert_int_equal(worker_thread_start(group, slot, next), 0);
	free(previous);
	*thread = next;
}

static void start_threads(struct sticky_group *group, struct worker_thread **ret_threads)
{
	uint32_t slot;

	for (slot = 0; slot < sticky_group_slots(group); slot++) {
		ret_threads[slot] = malloc(sizeof(*ret_threads[slot]));
		assert_non_null(ret_threads[slot]);
		assert_int_equal(worker_thread_start(group, slot, ret_threads[slot]), 0);
	}
}

static void end_threads(struct sticky_group *group, struct worker_thread **threads)
{
	uint32_t slot;

	for (slot = 0; slot < sticky_group_slots(group); slot++) {
		assert_int_equal(worker_thread_end(threads[slot]), 0);
		free(threads[slot]);
	}
}

static void start_crowd(struct crowd *crowd, struct sticky_group *group, uint32_t first)
{
	*crowd = (struct crowd){.group = group,
				.server = group_server(group, 0, AF_INET),
				.family = AF_INET,
				.first = first,
				.addresses = CROWD_MAX};
	assert_int_equal(crowd_start(crowd), 0);
}

static void check_crowd(const struct crowd *crowd)
{
	if (crowd->refused || crowd->lost || crowd->delayed || crowd->strayed)
		fail_msg("%u served, %u refused, %u lost, %u delayed, %u strayed, error %d",
			 crowd->served, crowd->refused, crowd->lost, crowd->delayed, crowd->strayed,
			 crowd->error);
	assert_true(crowd->served > 0);
}

struct awaited_clients {
	struct crowd *crowd;
	uint32_t served;
};

static bool so_many_are_served(void *context)
{
	const struct awaited_clients *awaited = context;

	return awaited->crowd->served >= awaited->served;
}

/*
 * Wait until more clients have been served. Otherwise most of the changes would be over before the
 * first client has connected. A slow machine waits for fewer clients, so that the number of changes
 * stays the same.
 */
static void wait_for_some_clients(struct crowd *crowd)
{
	uint32_t some = 10000 / (uint32_t)wait_scaled_ms(1000);
	struct awaited_clients awaited = {crowd, crowd->served + (some > 2 ? some : 2)};

	assert_int_equal(wait_until(so_many_are_served, &awaited), 0);
}

static void check_changes_of_hands(uint32_t slots)
{
	struct sticky_group *group = group_start(slots, "127.0.0.1:0");
	struct worker_thread *threads[SLOTS_MAX];
	static struct crowd crowds[2]; /* static, as their threads go on after a test that fails */
	unsigned int seed = 1;
	uint32_t i;

	start_threads(group, threads);
	for (i = 0; i < 2; i++)
		start_crowd(&crowds[i], group, 1000 * i);
	for (i = 0; i < CHANGES; i++) {
		int random = rand_r(&seed);

		wait_for_some_clients(&crowds[i % 2]);
		change_hands(group, &threads[(uint32_t)random / 2 % slots], random % 2);
	}
	for (i = 0; i < 2; i++)
		crowd_end(&crowds[i], true);
	end_threads(group, threads);
	for (i = 0; i < 2; i++)
		check_crowd(&crowds[i]);
	assert_int_equal(group_counters(group).dropped, 0);
	sticky_group_close(group);
}

static void nobody_is_lost_in_500_changes_of_hands(void **state)
{
	(void)state;
	check_changes_of_hands(SLOTS_MAX);
}

/* With one slot every client connects to the slot that changes hands. */
static void nobody_is_lost_in_500_changes_of_the_only_slot(void **state)
{
	(void)state;
	check_changes_of_hands(1);
}

static bool somebody_was_refused(void *context)
{
	struct crowd *crowd = context;

	return crowd->refused > 0;
}

/*
 * Show the fault under the same load: the entry of the slot is emptied first, and filled again
 * later.
 */
static void an_entry_emptied_first_refuses_clients(void **state)
{
	struct sticky_group *group = group_start(1, "127.0.0.1:0");
	struct worker_thread *threads[1];
	static struct crowd crowd;

	(void)state;
	start_threads(group, threads);
	start_crowd(&crowd, group, 0);
	assert_int_equal(engine_empty(group->engine, 0, 0), 0);
	assert_int_equal(wait_until(somebody_was_refused, &crowd), 0);
	change_hands(group, &threads[0], true);
	crowd_end(&crowd, true);
	assert_int_equal(crowd.error, -ECONNREFUSED);
	end_threads(group, threads);
	sticky_group_close(group);
}

struct awaited_queue {
	struct crowd *crowd;
	int listening;
};

/*
 * Is the connection in the queue, and has connect(2) returned? The connection gets into the queue
 * first. A reset before connect(2) has returned would be the error of connect(2).
 */
static bool somebody_waits(void *context)
{
	const struct awaited_queue *awaited = context;

	return awaited->crowd->connected > 0 && listener_queue(awaited->listening) > 0;
}

/* The clients of this test also notice it if a socket is closed with connections in its queue. */
static void a_plain_close_loses_one_of_a_crowd(void **state)
{
	struct sticky_group *group = group_start(1, "127.0.0.1:0");
	struct crowd crowd = {.group = group, .family = AF_INET, .addresses = 1, .limit = 1};
	struct awaited_queue awaited = {.crowd = &crowd};

	(void)state;
	crowd.server = address_of("127.0.0.1", 0);
	awaited.listening = plain_listen(&crowd.server, SO_REUSEPORT);
	assert_int_equal(crowd_start(&crowd), 0);
	assert_int_equal(wait_until(somebody_waits, &awaited), 0);
	close(awaited.listening);
	crowd_end(&crowd, false);
	assert_int_equal(crowd.lost, 1);
	assert_int_equal(crowd.error, -ECONNRESET);
	sticky_group_close(group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_lost_in_500_changes_of_hands),
		cmocka_unit_test(nobody_is_lost_in_500_changes_of_the_only_slot),
		cmocka_unit_test(an_entry_emptied_first_refuses_clients),
		cmocka_unit_test(a_plain_close_loses_one_of_a_crowd),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
