// SPDX-License-Identifier: MIT
/* The library's own wake-up connections: one, to the slot that was named, and no other. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/lib/group.h"
#include "../../src/lib/wake.h"
#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/waiting.h"
#include "sticky.h"

#define SLOTS 4

static void the_probe_has_an_answer(void **state)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_group *group;
	uint32_t before, i;
	int wakes;

	(void)state;
	assert_int_equal(sticky_group_open(&options, &group), 0);
	before = descriptors_count();
	wakes = wake_probe(group->steering);
	assert_in_range(wakes, 0, 1);
	assert_int_equal(wakes, group->migration_wakes);
	for (i = 0; i < 20; i++)
		assert_int_equal(wake_probe(group->steering), wakes);
	assert_int_equal(descriptors_count(), before);
	sticky_group_close(group);
}

static void the_probe_is_not_counted(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_counters counters = group_counters(group);

	(void)state;
	assert_int_equal(counters.steered, 0);
	assert_int_equal(counters.migrated, 0);
	assert_int_equal(counters.dropped, 0);
	sticky_group_close(group);
}

/* A wake-up says nothing and ends at once. Returns the port that it came from. */
static in_port_t check_wake_up(int listening)
{
	struct sockaddr_storage peer = {0};
	socklen_t length = sizeof(peer);
	uint32_t number;
	int fd = client_accept(listening);

	assert_true(fd >= 0);
	assert_int_equal(getpeername(fd, (void *)&peer, &length), 0);
	assert_int_equal(number_receive(fd, &number), -ENODATA);
	close(fd);
	return ((struct sockaddr_in *)&peer)->sin_port; /* at the same place for IPv6 */
}

static void wake(struct sticky_group *group, uint32_t slot)
{
	const struct listener *listener = &group->listeners[0];

	assert_int_equal(wake_slot(group->steering, (const void *)&listener->address,
				   listener->length, slot),
			 0);
}

static void check_wake_ups(const char *address)
{
	struct sticky_group *group = group_start(SLOTS, address);
	struct sticky_worker *workers[SLOTS];
	uint32_t before = descriptors_count(), slot, other;
	uint64_t woken = 0;

	workers_start(group, workers);
	assert_int_equal(descriptors_count(), before); /* theirs instead of the holding ones */
	for (slot = 0; slot < SLOTS; slot++) {
		wake(group, slot);
		check_wake_up(sticky_worker_fd(workers[slot], 0));
		for (other = 0; other < SLOTS; other++)
			assert_true(nothing_waits(sticky_worker_fd(workers[other], 0)));
		assert_int_equal(group_counters(group).woken, ++woken);
	}
	assert_int_equal(group_counters(group).steered, 0);
	assert_int_equal(descriptors_count(), before);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void a_wake_up_comes_to_its_slot_by_v4(void **state)
{
	(void)state;
	check_wake_ups("127.0.0.1:0");
}

static void a_wake_up_comes_to_its_slot_on_any_v4_address(void **state)
{
	(void)state;
	check_wake_ups("0.0.0.0:0");
}

static void a_wake_up_comes_to_its_slot_on_another_v4_address(void **state)
{
	(void)state;
	check_wake_ups("127.9.8.7:0");
}

static void a_wake_up_comes_to_its_slot_by_v6(void **state)
{
	(void)state;
	if (group_lacks_v6())
		skip();
	check_wake_ups("[::1]:0");
}

static void a_wake_up_comes_to_its_slot_on_a_dual_stack_listener(void **state)
{
	(void)state;
	if (group_lacks_v6())
		skip();
	check_wake_ups(":0");
}

/* As in many containers: there are v6 sockets, but not even ::1 is an address. */
static void a_wake_up_comes_to_its_slot_on_a_dual_stack_listener_without_v6(void **state)
{
	(void)state;
	if (group_lacks_v6())
		skip();
	assert_int_equal(netns_disable_v6(true), 0);
	check_wake_ups(":0");
	assert_int_equal(netns_disable_v6(false), 0);
}

/* The override lasts no longer than the wake-up, even for a client with the very same port. */
static void clients_are_not_taken_for_wake_ups(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	struct sticky_worker *workers[SLOTS];
	in_port_t port;
	uint32_t slot;

	(void)state;
	workers_start(group, workers);
	wake(group, 0);
	port = check_wake_up(sticky_worker_fd(workers[0], 0));
	for (slot = 0; slot < SLOTS; slot++) {
		uint32_t number = group_client_of_slot(group, AF_INET, slot, 0), worker = SLOTS;
		struct sockaddr_storage client = client_address(AF_INET, number);
		int fds[2];

		((struct sockaddr_in *)&client)->sin_port = port;
		fds[0] = client_connect(&client, &server);
		fds[1] = workers_accept(workers, SLOTS, 0, &worker);
		assert_true(is_peer(fds[1], fds[0]));
		assert_int_equal(worker, slot);
		close_all(fds, 2);
	}
	assert_int_equal(group_counters(group).woken, 1);
	workers_close(group, workers);
	sticky_group_close(group);
}

/* What the next life finds after `queued` clients have waited for it. */
static void check_moved_queue(bool kernel_wakes, uint32_t queued, uint32_t wake_ups)
{
	struct sticky_group *group = group_start(1, "127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	struct waiting line = {0};
	struct sticky_worker *worker;

	group->migration_wakes = kernel_wakes;
	waiting_add(&line, group, 0, &server, queued);
	assert_int_equal(group_wait_queue(group, 0, queued), 0);
	worker = worker_start(group, 0);
	assert_int_equal(group_wait_queue(group, 0, queued + wake_ups), 0);
	assert_int_equal(group_counters(group).woken, wake_ups);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, queued);
	for (; wake_ups; wake_ups--)
		check_wake_up(sticky_worker_fd(worker, 0));
	assert_true(nothing_waits(sticky_worker_fd(worker, 0)));
	assert_int_equal(waiting_end(&line), 0);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

static void a_moved_queue_is_followed_by_a_wake_up_where_the_kernel_does_not_wake(void **state)
{
	(void)state;
	/* At the move, and at the second look: this worker takes nothing until both are over. */
	check_moved_queue(false, 10, 2);
}

static void a_moved_queue_is_all_there_is_where_the_kernel_wakes(void **state)
{
	(void)state;
	check_moved_queue(true, 10, 0);
}

static void nobody_is_woken_for_an_empty_queue(void **state)
{
	(void)state;
	check_moved_queue(false, 0, 0);
}

/* The queue of a worker that sleeps: is it told, by a connection more? */
static void check_sleeper(bool kernel_wakes, uint32_t queued, uint32_t wake_ups)
{
	struct sticky_group *group = group_start(1, "127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	struct waiting line = {0};
	struct sticky_worker *worker = worker_start(group, 0);

	group->migration_wakes = kernel_wakes;
	waiting_add(&line, group, 0, &server, queued);
	assert_int_equal(group_wait_queue(group, 0, queued), 0);
	sticky_slot_wake(group, 0);
	sticky_slot_wake(group, 1); /* there is no such slot: nothing happens */
	assert_int_equal(group_wait_queue(group, 0, queued + wake_ups), 0);
	assert_int_equal(group_counters(group).woken, wake_ups);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, queued);
	if (wake_ups)
		check_wake_up(sticky_worker_fd(worker, 0));
	assert_int_equal(waiting_end(&line), 0);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

static void a_slot_is_woken_where_somebody_waits_and_the_kernel_does_not_wake(void **state)
{
	(void)state;
	check_sleeper(false, 3, 1);
	check_sleeper(false, 0, 0);
	check_sleeper(true, 3, 0);
}

/* As a host's loop would. */
static void run_until_woken(struct sticky_group *group, struct pollfd *due, uint64_t times)
{
	int turns;

	for (turns = 0; turns < 10 && group_counters(group).woken < times; turns++) {
		assert_int_equal(poll(due, 1, 5000), 1);
		sticky_group_run(group);
	}
	assert_true(group_counters(group).woken >= times);
}

/* A draining process closes its descriptors when it likes: a host that polls is looked after. */
static void a_slot_is_looked_at_after_it_changed_hands(void **state)
{
	struct sticky_group *group = group_start(1, "127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	struct pollfd due = {.fd = sticky_group_fd(group), .events = POLLIN};
	struct waiting line = {0};
	struct sticky_worker *former, *worker;
	int inherited;

	(void)state;
	assert_true(due.fd >= 0);
	group->migration_wakes = false;
	former = worker_start(group, 0);
	inherited = dup(sticky_worker_fd(former, 0)); /* as a process would have it */
	waiting_add(&line, group, 0, &server, 5);
	worker = worker_start(group, 0);
	assert_int_equal(sticky_worker_close(former), 0);
	/* The library closes its own descriptor: nothing moves, the other one is open. */
	assert_int_equal(poll(&due, 1, 5000), 1);
	sticky_group_run(group);
	assert_int_equal(group_counters(group).woken, 0);
	close(inherited); /* its queue moves now, and the library can't see that */
	run_until_woken(group, &due, 1);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, 5);
	check_wake_up(sticky_worker_fd(worker, 0));
	assert_int_equal(waiting_end(&line), 0);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_probe_has_an_answer),
		cmocka_unit_test(the_probe_is_not_counted),
		cmocka_unit_test(a_wake_up_comes_to_its_slot_by_v4),
		cmocka_unit_test(a_wake_up_comes_to_its_slot_on_any_v4_address),
		cmocka_unit_test(a_wake_up_comes_to_its_slot_on_another_v4_address),
		cmocka_unit_test(a_wake_up_comes_to_its_slot_by_v6),
		cmocka_unit_test(a_wake_up_comes_to_its_slot_on_a_dual_stack_listener),
		cmocka_unit_test(a_wake_up_comes_to_its_slot_on_a_dual_stack_listener_without_v6),
		cmocka_unit_test(clients_are_not_taken_for_wake_ups),
		cmocka_unit_test(
			a_moved_queue_is_followed_by_a_wake_up_where_the_kernel_does_not_wake),
		cmocka_unit_test(a_moved_queue_is_all_there_is_where_the_kernel_wakes),
		cmocka_unit_test(nobody_is_woken_for_an_empty_queue),
		cmocka_unit_test(a_slot_is_woken_where_somebody_waits_and_the_kernel_does_not_wake),
		cmocka_unit_test(a_slot_is_looked_at_after_it_changed_hands),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
