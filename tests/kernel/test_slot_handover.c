// SPDX-License-Identifier: MIT
/*
 * A slot is handed over to another worker. No client that waits in it is lost, or served out of
 * order.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/group_internal.h"
#include "../support/clients.h"
#include "../support/groups.h"
#include "../support/worker_threads.h"
#include "../support/netns.h"
#include "../support/scene.h"
#include "../support/wait.h"
#include "../support/waiting.h"
#include "sticky.h"

#define CLIENTS 200

static void nobody_comes_before_ready(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *worker;

	(void)state;
	scene_add(&scene, 20);
	scene_check(&scene, true, 20);
	assert_int_equal(group_slot_info(scene.group, SCENE_SLOT).generation, 0);

	worker = scene_worker(&scene);
	scene_add(&scene, 20);
	scene_check(&scene, true, 40);
	assert_true(nothing_waits(sticky_worker_fd(worker, 0)));
	assert_int_equal(group_slot_info(scene.group, SCENE_SLOT).generation, 1);

	assert_int_equal(sticky_worker_ready(worker), 0);
	scene_check(&scene, false, 40);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, 40);
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_end(&scene);
}

/*
 * Check that the holding queue moves to the first worker, and that the connections which this
 * worker leaves move to the next one.
 */
static void check_queue_moves(const char *address, sa_family_t family)
{
	struct scene scene = scene_start(address, family);
	struct sticky_worker *worker = scene_worker(&scene);

	scene_add(&scene, CLIENTS);
	scene_check(&scene, true, CLIENTS);
	assert_int_equal(sticky_worker_ready(worker), 0);
	scene_check(&scene, false, CLIENTS);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, CLIENTS);

	scene_add(&scene, CLIENTS);
	scene_check(&scene, false, CLIENTS);
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_check(&scene, true, CLIENTS);

	worker = worker_start(scene.group, SCENE_SLOT);
	assert_int_equal(sticky_worker_generation(worker), 2);
	scene_check(&scene, false, CLIENTS);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), CLIENTS, CLIENTS);
	assert_int_equal(group_counters(scene.group).migrated, 3 * CLIENTS);
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_end(&scene);
}

static void queue_of_v4_clients_moves_in_order(void **state)
{
	(void)state;
	check_queue_moves("127.0.0.1:0", AF_INET);
}

static void queue_of_v6_clients_moves_in_order(void **state)
{
	(void)state;
	if (group_lacks_v6())
		skip();
	check_queue_moves("[::1]:0", AF_INET6);
}

static void queue_of_v4_clients_of_a_dual_stack_listener_moves_in_order(void **state)
{
	(void)state;
	if (group_lacks_v6())
		skip();
	check_queue_moves(":0", AF_INET);
}

static void queue_of_v6_clients_of_a_dual_stack_listener_moves_in_order(void **state)
{
	(void)state;
	if (group_lacks_v6())
		skip();
	check_queue_moves(":0", AF_INET6);
}

static void wait_until_served(struct waiting *line)
{
	uint32_t place, answer;

	for (place = 0; place < line->count; place++)
		assert_int_equal(number_receive(line->clients[place], &answer), 0);
	close_all(line->clients, line->count);
	line->count = 0;
}

/*
 * Check that a worker that sleeps is woken, and accepts the queue that moved to it. Workers of
 * Node.js or nginx sleep like this.
 */
static void check_sleeping_successor(bool kernel_wakes)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *previous = worker_start(scene.group, SCENE_SLOT);
	struct worker_thread serving;

	scene.group->migration_wakes = kernel_wakes && scene.group->migration_wakes;
	scene_add(&scene, 50);
	scene_check(&scene, false, 50);
	assert_int_equal(worker_thread_start(scene.group, SCENE_SLOT, &serving), 0);
	assert_int_equal(sticky_worker_close(previous), 0);
	wait_until_served(&scene.line);
	assert_int_equal(worker_thread_end(&serving), 0);
	scene_end(&scene);
}

static void a_sleeping_successor_is_woken(void **state)
{
	(void)state;
	check_sleeping_successor(true);
}

static void a_sleeping_successor_is_woken_by_the_library(void **state)
{
	(void)state;
	check_sleeping_successor(false);
}

/* Until the client's data arrive, the kernel has no connection, but only a request for one. */
static void half_open_handshakes_move(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *worker = worker_start(scene.group, SCENE_SLOT);
	int seconds = 60, i;

	(void)state;
	assert_int_equal(setsockopt(sticky_worker_fd(worker, 0), IPPROTO_TCP, TCP_DEFER_ACCEPT,
				    &seconds, sizeof(seconds)),
			 0);
	for (i = 0; i < CLIENTS; i++) {
		scene.line.next =
			group_client_of_slot(scene.group, AF_INET, SCENE_SLOT, scene.line.next);
		waiting_connect(&scene.line, &scene.server);
	}
	scene_check(&scene, false, 0);
	assert_int_equal(sticky_worker_close(worker), 0);
	waiting_send(&scene.line, 0);
	scene_check(&scene, true, CLIENTS);

	worker = worker_start(scene.group, SCENE_SLOT);
	assert_int_equal(waiting_serve(sticky_worker_fd(worker, 0)), CLIENTS);
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_end(&scene);
}

/*
 * After sticky_worker_leave() new clients wait at a holding socket. Handshakes that had begun on
 * the worker's own socket end there.
 */
static void a_worker_that_leaves_goes_on_accepting(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *worker = worker_start(scene.group, SCENE_SLOT);

	(void)state;
	scene_add(&scene, 10);
	assert_int_equal(sticky_worker_leave(worker), 0);
	assert_int_equal(sticky_worker_leave(worker), 0);
	scene_add(&scene, 5);
	scene_check(&scene, true, 5);
	assert_int_equal(sticky_worker_queue(worker), 10);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, 4);
	/*
	 * The connections that the worker has not accepted move to the holding socket, behind those
	 * that wait there.
	 */
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_check(&scene, true, 11);
	worker = worker_start(scene.group, SCENE_SLOT);
	assert_int_equal(waiting_serve(sticky_worker_fd(worker, 0)), 11);
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_end(&scene);
}

static void a_worker_with_a_successor_has_left(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *previous = worker_start(scene.group, SCENE_SLOT);
	struct sticky_worker *worker = worker_start(scene.group, SCENE_SLOT);

	(void)state;
	assert_int_equal(sticky_worker_leave(previous), 0);
	scene_add(&scene, 5);
	scene_check(&scene, false, 5);
	assert_int_equal(sticky_worker_queue(previous), 0);
	assert_int_equal(sticky_worker_close(previous), 0);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, 5);
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_end(&scene);
}

/* Show the fault with the same clients: two sockets share a port, and one of them is closed. */
static void a_plain_close_loses_the_queue(void **state)
{
	struct sockaddr_storage server = address_of("127.0.0.1", 0);
	struct waiting line = {0};
	int previous = plain_listen(&server, SO_REUSEPORT);
	int successor = plain_listen(&server, SO_REUSEPORT);
	int queued;

	(void)state;
	waiting_add(&line, NULL, 0, &server, CLIENTS);
	queued = listener_queue(previous);
	assert_in_range(queued, CLIENTS / 4, CLIENTS * 3 / 4);
	close(previous);
	assert_int_equal(waiting_serve(successor), CLIENTS - queued);
	close(successor);
	assert_int_equal(waiting_end(&line), queued);
}

static void new_clients_meet_only_the_successor(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *previous = worker_start(scene.group, SCENE_SLOT);
	struct sticky_worker *successor = scene_worker(&scene);

	(void)state;
	scene_add(&scene, 50);
	assert_int_equal(sticky_worker_ready(successor), 0);
	scene_add(&scene, 50);
	assert_int_equal(group_wait_queue(scene.group, SCENE_SLOT, 50), 0);
	waiting_serve_in_order(sticky_worker_fd(successor, 0), 50, 50);
	assert_true(nothing_waits(sticky_worker_fd(successor, 0)));

	/* The previous worker serves some of its queue, and leaves the rest. */
	waiting_serve_in_order(sticky_worker_fd(previous, 0), 0, 20);
	assert_int_equal(sticky_worker_close(previous), 0);
	scene_check(&scene, false, 30);
	waiting_serve_in_order(sticky_worker_fd(successor, 0), 20, 30);
	assert_int_equal(sticky_worker_close(successor), 0);
	scene_end(&scene);
}

static void a_worker_that_never_became_ready_changes_nothing(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *worker = worker_start(scene.group, SCENE_SLOT);
	struct sticky_worker *failed = scene_worker(&scene);

	(void)state;
	assert_int_equal(sticky_worker_generation(failed), 2);
	scene_add(&scene, 10);
	assert_int_equal(sticky_worker_close(failed), 0);
	scene_check(&scene, false, 10);
	scene_add(&scene, 10);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, 20);
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_end(&scene);
}

static void ready_twice_is_ready_once(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *worker = worker_start(scene.group, SCENE_SLOT);

	(void)state;
	scene_add(&scene, 10);
	assert_int_equal(sticky_worker_ready(worker), 0);
	scene_check(&scene, false, 10);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, 10);
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_end(&scene);
}

/* A previous worker may take its slot back, as when a reload is cancelled. */
static void a_previous_worker_can_become_ready_again(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *previous = worker_start(scene.group, SCENE_SLOT);
	struct sticky_worker *successor = worker_start(scene.group, SCENE_SLOT);

	(void)state;
	scene_add(&scene, 10);
	assert_int_equal(sticky_worker_ready(previous), 0);
	scene_add(&scene, 10);
	waiting_serve_in_order(sticky_worker_fd(previous, 0), 10, 10);
	assert_int_equal(sticky_worker_close(successor), 0);
	waiting_serve_in_order(sticky_worker_fd(previous, 0), 0, 10);
	assert_int_equal(sticky_worker_close(previous), 0);
	scene_end(&scene);
}

/*
 * The descriptor that a worker's process inherited keeps the socket open, too. The queue moves when
 * both are closed.
 */
static void a_queue_moves_with_the_last_descriptor(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *worker = worker_start(scene.group, SCENE_SLOT);
	int inherited = dup(sticky_worker_fd(worker, 0));

	(void)state;
	scene_add(&scene, 20);
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_check(&scene, true, 0);
	waiting_serve_in_order(inherited, 0, 5);
	close(inherited);
	scene_check(&scene, true, 15);
	worker = worker_start(scene.group, SCENE_SLOT);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 5, 15);
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_end(&scene);
}

static void check_queues_of_two_listeners(struct scene *scene, struct sticky_worker *worker)
{
	uint32_t listener;

	for (listener = 0; listener < 2; listener++) {
		scene->server = group_server(scene->group, listener, AF_INET);
		scene_add(scene, 10);
	}
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_check(scene, true, 20);
	worker = worker_start(scene->group, SCENE_SLOT);
	scene_check(scene, false, 20);
	for (listener = 0; listener < 2; listener++)
		waiting_serve_in_order(sticky_worker_fd(worker, listener), 10 * listener, 10);
	assert_int_equal(sticky_worker_close(worker), 0);
}

static void queues_of_two_listeners_move_each_to_its_own(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);

	(void)state;
	assert_int_equal(sticky_group_listen(scene.group, "127.0.0.1:0"), 1);
	check_queues_of_two_listeners(&scene, worker_start(scene.group, SCENE_SLOT));
	scene_end(&scene);
}

/*
 * A host with an event loop learns from a descriptor when to call sticky_group_run(). Its calls
 * never wait.
 */
static void a_host_that_polls_moves_the_queue_itself(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *worker = scene_worker(&scene);
	int fd = sticky_group_fd(scene.group);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(sticky_group_fd(scene.group), fd);
	assert_true(nothing_waits(fd));
	scene_add(&scene, 20);
	assert_int_equal(sticky_worker_ready(worker), 0);
	scene_check(&scene, false, 20); /* in the holding queue or already in the worker's */

	assert_int_equal(wait_readable(fd), 0);
	sticky_group_run(scene.group);
	assert_true(nothing_waits(fd));
	assert_int_equal(sticky_worker_queue(worker), 20);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, 20);
	assert_int_equal(sticky_worker_queue(worker), 0);
	sticky_group_run(scene.group); /* a call has no effect when nothing is due */
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_comes_before_ready),
		cmocka_unit_test(queue_of_v4_clients_moves_in_order),
		cmocka_unit_test(queue_of_v6_clients_moves_in_order),
		cmocka_unit_test(queue_of_v4_clients_of_a_dual_stack_listener_moves_in_order),
		cmocka_unit_test(queue_of_v6_clients_of_a_dual_stack_listener_moves_in_order),
		cmocka_unit_test(a_plain_close_loses_the_queue),
		cmocka_unit_test(half_open_handshakes_move),
		cmocka_unit_test(a_worker_that_leaves_goes_on_accepting),
		cmocka_unit_test(a_worker_with_a_successor_has_left),
		cmocka_unit_test(a_sleeping_successor_is_woken),
		cmocka_unit_test(a_sleeping_successor_is_woken_by_the_library),
		cmocka_unit_test(new_clients_meet_only_the_successor),
		cmocka_unit_test(a_worker_that_never_became_ready_changes_nothing),
		cmocka_unit_test(ready_twice_is_ready_once),
		cmocka_unit_test(a_previous_worker_can_become_ready_again),
		cmocka_unit_test(a_queue_moves_with_the_last_descriptor),
		cmocka_unit_test(a_host_that_polls_moves_the_queue_itself),
		cmocka_unit_test(queues_of_two_listeners_move_each_to_its_own),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
