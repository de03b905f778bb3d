// SPDX-License-Identifier: MIT
/* A process sleeps although connections wait for it to accept them. How is it woken? */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/group_internal.h"
#include "engine/wake.h"
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
	wakes = wake_probe(group->engine);
	assert_in_range(wakes, 0, 1);
	assert_int_equal(wakes, group->migration_wakes);
	for (i = 0; i < 20; i++)
		assert_int_equal(wake_probe(group->engine), wakes);
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

/* ---- One socket ---------------------------------------------------------------------- */

/*
 * Watch a socket with EPOLLET. The sleeper gets one event for a queue, and no more until another
 * connection arrives. On a kernel that does not report moved connections, all sleepers behave like
 * this.
 */
static int watch_edges(int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	assert_true(epoll >= 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	return epoll;
}

static bool has_event(int epoll)
{
	struct epoll_event event;

	return epoll_wait(epoll, &event, 1, 0) == 1;
}

static bool is_told_by_and_by(int epoll)
{
	struct epoll_event event;

	return epoll_wait(epoll, &event, 1, 5000) == 1;
}

static void a_sleeper_is_woken_and_nothing_else_happens(void **state)
{
	struct sockaddr_storage server = address_of("127.0.0.1", 0);
	int listening = plain_listen(&server, 0), epoll = watch_edges(listening), i;
	int fds[2] = {client_connect(NULL, &server), -1};
	uint32_t number = 0;

	(void)state;
	assert_true(is_told_by_and_by(epoll));
	assert_false(has_event(epoll));
	for (i = 0; i < 3; i++) {
		listener_wake(listening);
		assert_true(has_event(epoll));
		assert_false(has_event(epoll));
	}
	fds[1] = client_accept(listening);
	assert_true(is_peer(fds[1], fds[0]));
	assert_int_equal(number_send(fds[0], 7), 0);
	assert_int_equal(number_receive(fds[1], &number), 0);
	assert_int_equal(number, 7);
	assert_true(nothing_waits(listening));
	listener_wake(listening); /* nothing is reported if there is no sleeper */
	assert_false(has_event(epoll));
	close_all(fds, 2);
	close(epoll);
	close(listening);
}

static void *accept_one(void *argument)
{
	return (void *)(intptr_t)accept4(*(int *)argument, NULL, NULL, SOCK_CLOEXEC);
}

/* A blocking accept() is not disturbed: it finds its queue empty, and sleeps again. */
static void a_blocking_accept_goes_on(void **state)
{
	struct sockaddr_storage server = address_of("127.0.0.1", 0);
	int listening = plain_listen(&server, 0), i;
	pthread_t thread;
	void *result;
	int fds[2];

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, accept_one, &listening), 0);
	for (i = 0; i < 100; i++)
		listener_wake(listening);
	fds[0] = client_connect(NULL, &server);
	assert_int_equal(pthread_join(thread, &result), 0);
	fds[1] = (int)(intptr_t)result;
	assert_true(is_peer(fds[1], fds[0]));
	close_all(fds, 2);
	close(listening);
}

static void a_socket_that_does_not_listen_is_left_alone(void **state)
{
	struct sockaddr_storage server = address_of("127.0.0.1", 0);
	int listening = plain_listen(&server, 0);

	(void)state;
	assert_int_equal(shutdown(listening, SHUT_RD), 0); /* a worker may do this */
	listener_wake(listening);
	listener_wake(-1);
	close(listening);
}

/* ---- Slots --------------------------------------------------------------------------- */

struct sleeper {
	struct sticky_group *group;
	struct sticky_worker *worker;
	struct waiting line;
	int epoll;
};

/* Start the worker of the only slot. It has got the event for `queued` connections, and sleeps. */
static struct sleeper sleeper_start(uint32_t queued)
{
	struct sleeper sleeper = {.group = group_start(1, "127.0.0.1:0")};
	struct sockaddr_storage server = group_server(sleeper.group, 0, AF_INET);

	sleeper.worker = worker_start(sleeper.group, 0);
	sleeper.epoll = watch_edges(sticky_worker_fd(sleeper.worker, 0));
	waiting_add(&sleeper.line, sleeper.group, 0, &server, queued);
	assert_int_equal(group_wait_queue(sleeper.group, 0, queued), 0);
	has_event(sleeper.epoll);
	assert_false(has_event(sleeper.epoll));
	return sleeper;
}

static void sleeper_end(struct sleeper *sleeper)
{
	waiting_serve_in_order(sticky_worker_fd(sleeper->worker, 0), 0, sleeper->line.count);
	assert_int_equal(waiting_end(&sleeper->line), 0);
	close(sleeper->epoll);
	assert_int_equal(sticky_worker_close(sleeper->worker), 0);
	sticky_group_close(sleeper->group);
}

static void check_slot_wake(bool kernel_wakes, uint32_t queued, bool is_woken)
{
	struct sleeper sleeper = sleeper_start(queued);

	sleeper.group->migration_wakes = kernel_wakes;
	sticky_slot_wake(sleeper.group, 1); /* there is no such slot: nothing happens */
	assert_false(has_event(sleeper.epoll));
	sticky_slot_wake(sleeper.group, 0);
	assert_int_equal(has_event(sleeper.epoll), is_woken);
	sleeper_end(&sleeper);
}

static void a_slot_is_woken_where_connections_wait_and_the_kernel_does_not_wake(void **state)
{
	(void)state;
	check_slot_wake(false, 3, true);
	check_slot_wake(false, 0, false);
	check_slot_wake(true, 3, false);
}

/* The queue that moves is longer than the backlog, so that no connection could be added to it. */
static void a_full_queue_is_told_of_too(void **state)
{
	struct sticky_group_options options = group_options(1);
	struct sleeper sleeper = {0};
	struct sockaddr_storage server;
	int epoll;

	(void)state;
	options.backlog = 2;
	assert_int_equal(sticky_group_open(&options, &sleeper.group), 0);
	assert_int_equal(sticky_group_listen(sleeper.group, "127.0.0.1:0"), 0);
	sleeper.group->migration_wakes = false;
	server = group_server(sleeper.group, 0, AF_INET);
	waiting_add(&sleeper.line, sleeper.group, 0, &server, 3); /* one more than the backlog */
	assert_int_equal(group_wait_queue(sleeper.group, 0, 3), 0);
	sleeper.worker = worker_start(sleeper.group, 0);
	epoll = sleeper.epoll = watch_edges(sticky_worker_fd(sleeper.worker, 0));
	has_event(epoll);
	sticky_slot_wake(sleeper.group, 0);
	assert_true(has_event(epoll));
	sleeper_end(&sleeper);
}

/* Run sticky_group_run() as a host's loop does. Returns how often the sleeper got an event. */
static uint32_t run_until_all_is_done(struct sticky_group *group, int epoll)
{
	struct pollfd due = {.fd = sticky_group_fd(group), .events = POLLIN};
	uint32_t events = 0;

	while (group->closings) {
		assert_int_equal(poll(&due, 1, 10000), 1);
		sticky_group_run(group);
		events += has_event(epoll);
	}
	return events;
}

static bool has_sockets_to_close(const struct sticky_group *group)
{
	const struct closing *closing;

	for (closing = group->closings; closing; closing = closing->next)
		if (!closing->is_check)
			return true;
	return false;
}

/*
 * A process that drains may close its descriptors at any time, and its queue moves then. A host
 * that polls checks the slot after that. Returns how often the next worker got an event after the
 * move.
 */
static uint32_t move_late(bool kernel_wakes)
{
	struct sticky_group *group = group_start(1, "127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	struct pollfd due = {.fd = sticky_group_fd(group), .events = POLLIN};
	struct waiting line = {0};
	struct sticky_worker *previous, *worker;
	int inherited, epoll;
	uint32_t events;

	assert_true(due.fd >= 0);
	group->migration_wakes = kernel_wakes;
	previous = worker_start(group, 0);
	inherited = dup(sticky_worker_fd(previous, 0)); /* a process would have such a duplicate */
	waiting_add(&line, group, 0, &server, 5);
	assert_int_equal(group_wait_queue(group, 0, 5), 0);
	worker = worker_start(group, 0);
	epoll = watch_edges(sticky_worker_fd(worker, 0));
	assert_int_equal(sticky_worker_close(previous), 0);
	/*
	 * The library closes its own descriptor. The queue does not move, as the duplicate is open.
	 */
	while (has_sockets_to_close(group)) {
		assert_int_equal(poll(&due, 1, 5000), 1);
		sticky_group_run(group);
	}
	assert_false(has_event(epoll));
	close(inherited);
	has_event(epoll); /* a kernel that wakes sleepers reports the move */
	events = run_until_all_is_done(group, epoll);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, 5);
	assert_int_equal(waiting_end(&line), 0);
	close(epoll);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
	return events;
}

static void a_slot_is_looked_at_after_it_changed_hands(void **state)
{
	(void)state;
	assert_true(move_late(false) > 0);
	assert_int_equal(move_late(true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_probe_has_an_answer),
		cmocka_unit_test(the_probe_is_not_counted),
		cmocka_unit_test(a_sleeper_is_woken_and_nothing_else_happens),
		cmocka_unit_test(a_blocking_accept_goes_on),
		cmocka_unit_test(a_socket_that_does_not_listen_is_left_alone),
		cmocka_unit_test(
			a_slot_is_woken_where_connections_wait_and_the_kernel_does_not_wake),
		cmocka_unit_test(a_full_queue_is_told_of_too),
		cmocka_unit_test(a_slot_is_looked_at_after_it_changed_hands),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
