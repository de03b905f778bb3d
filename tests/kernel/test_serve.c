// SPDX-License-Identifier: MIT
/*
 * A worker does not serve one of the listeners. The clients of its slot go to the other slots
 * there.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "sticky.h"

#define SLOTS	 2
#define LISTENER 1 /* the listener that is served or not */

struct scene {
	struct sticky_group *group;
	struct sticky_worker *workers[SLOTS];
};

static struct scene begin(void)
{
	struct scene scene = {.group = group_start(SLOTS, "127.0.0.1:0")};

	assert_int_equal(sticky_group_listen(scene.group, "127.0.0.1:0"), LISTENER);
	workers_start(scene.group, scene.workers);
	return scene;
}

static void end(struct scene *scene)
{
	workers_close(scene->group, scene->workers);
	sticky_group_close(scene->group);
}

/* Connect a client of slot 1. Returns the connection, or -errno. */
static int connect_to(const struct scene *scene, uint32_t listener)
{
	struct sockaddr_storage server = group_server(scene->group, listener, AF_INET);
	struct sockaddr_storage client =
		client_address(AF_INET, group_client_of_slot(scene->group, AF_INET, 1, 0));

	return client_connect(&client, &server);
}

static void assert_served_by(const struct scene *scene, uint32_t listener, uint32_t slot)
{
	int client = connect_to(scene, listener), accepted;

	assert_true(client >= 0);
	accepted = client_accept(sticky_worker_fd(scene->workers[slot], listener));
	assert_true(accepted >= 0);
	assert_true(is_peer(accepted, client));
	close(accepted);
	close(client);
}

static void clients_go_elsewhere_and_come_back(void **state)
{
	struct scene scene = begin();
	uint32_t descriptors = descriptors_count();

	(void)state;
	assert_served_by(&scene, LISTENER, 1);
	assert_int_equal(sticky_worker_serve(scene.workers[1], LISTENER, false), 0);
	assert_int_equal(sticky_worker_serve(scene.workers[1], LISTENER, false), 0);
	assert_int_equal(sticky_worker_fd(scene.workers[1], LISTENER), -EINVAL);
	assert_served_by(&scene, LISTENER, 0);
	assert_served_by(&scene, 0, 1);
	assert_int_equal(sticky_worker_serve(scene.workers[1], LISTENER, true), 0);
	assert_served_by(&scene, LISTENER, 1);
	assert_int_equal(descriptors_count(), descriptors);
	end(&scene);
}

static void what_is_queued_moves(void **state)
{
	struct scene scene = begin();
	int client = connect_to(&scene, LISTENER), accepted;

	(void)state;
	assert_true(client >= 0);
	assert_int_equal(group_wait_queue(scene.group, 1, 1), 0);
	assert_int_equal(sticky_worker_serve(scene.workers[1], LISTENER, false), 0);
	accepted = client_accept(sticky_worker_fd(scene.workers[0], LISTENER));
	assert_true(accepted >= 0);
	assert_true(is_peer(accepted, client));
	close(accepted);
	close(client);
	end(&scene);
}

static void nobody_serves_it(void **state)
{
	struct scene scene = begin();
	uint32_t slot;

	(void)state;
	for (slot = 0; slot < SLOTS; slot++)
		assert_int_equal(sticky_worker_serve(scene.workers[slot], LISTENER, false), 0);
	assert_int_equal(connect_to(&scene, LISTENER), -ECONNREFUSED);
	assert_served_by(&scene, 0, 1);
	end(&scene);
}

/* The successor does not serve the listener. Connections that wait there go to another slot. */
static void a_successor_need_not_serve_it(void **state)
{
	struct scene scene = begin();
	struct sticky_worker *successor, *previous = scene.workers[1];

	(void)state;
	assert_int_equal(sticky_worker_open(scene.group, 1, &successor), 0);
	assert_int_equal(sticky_worker_serve(successor, LISTENER, false), 0);
	assert_served_by(&scene, LISTENER, 1);
	assert_int_equal(sticky_worker_ready(successor), 0);
	assert_int_equal(sticky_worker_close(previous), 0);
	scene.workers[1] = successor;
	assert_served_by(&scene, LISTENER, 0);
	assert_served_by(&scene, 0, 1);
	end(&scene);
}

static void there_is_no_such_listener(void **state)
{
	struct scene scene = begin();

	(void)state;
	assert_int_equal(sticky_worker_serve(scene.workers[0], LISTENER + 1, true), -EINVAL);
	assert_int_equal(sticky_group_refuse(scene.group), 0);
	assert_int_equal(sticky_worker_serve(scene.workers[0], LISTENER, false), -ESHUTDOWN);
	end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_go_elsewhere_and_come_back),
		cmocka_unit_test(what_is_queued_moves),
		cmocka_unit_test(nobody_serves_it),
		cmocka_unit_test(a_successor_need_not_serve_it),
		cmocka_unit_test(there_is_no_such_listener),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
