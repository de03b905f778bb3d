// SPDX-License-Identifier: MIT
/*
 * If a call fails while a slot is handed over, the slot and the clients that wait in it stay as
 * they were.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/scene.h"
#include "../support/wait.h"
#include "../support/waiting.h"
#include "sticky.h"

#define CLIENTS 200

static void a_socket_that_was_shut_does_not_get_the_slot(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *worker = worker_start(scene.group, SCENE_SLOT);
	struct sticky_worker *broken = scene_worker(&scene);

	(void)state;
	assert_int_equal(shutdown(sticky_worker_fd(broken, 0), SHUT_RD), 0);
	assert_int_equal(sticky_worker_ready(broken), -EINVAL);
	scene_add(&scene, 10);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, 10);

	/* Here the slot is held. */
	assert_int_equal(sticky_worker_close(worker), 0);
	assert_int_equal(sticky_worker_ready(broken), -EINVAL);
	scene_add(&scene, 10);
	scene_check(&scene, true, 10);
	assert_int_equal(sticky_worker_close(broken), 0);
	worker = worker_start(scene.group, SCENE_SLOT);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 10, 10);
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_end(&scene);
}

/* All of a worker's listeners are handed over, or none. */
static void a_second_listener_that_was_shut_gives_the_first_one_back(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *worker, *broken;

	(void)state;
	assert_int_equal(sticky_group_listen(scene.group, "127.0.0.1:0"), 1);
	worker = worker_start(scene.group, SCENE_SLOT);
	broken = scene_worker(&scene);
	assert_int_equal(shutdown(sticky_worker_fd(broken, 1), SHUT_RD), 0);
	assert_int_equal(sticky_worker_ready(broken), -EINVAL);
	scene_add(&scene, 10);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, 10);
	assert_int_equal(sticky_worker_close(broken), 0);
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_end(&scene);
}

static bool somebody_was_dropped(void *context)
{
	struct scene *scene = context;

	return group_slot_info(scene->group, SCENE_SLOT).overflows > 0;
}

/* A SYN that finds the slot's queue full is dropped silently, but counted. */
static void overflows_are_counted_over_all_workers(void **state)
{
	struct sticky_group_options options = group_options(SCENE_SLOTS);
	struct sockaddr_storage client;
	struct sticky_worker *worker;
	struct scene scene = {0};
	uint64_t overflows;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)state;
	options.backlog = 4;
	assert_int_equal(sticky_group_open(&options, &scene.group), 0);
	assert_int_equal(sticky_group_listen(scene.group, "127.0.0.1:0"), 0);
	scene.server = group_server(scene.group, 0, AF_INET);
	scene_add(&scene, 5); /* the kernel's queue has room for one more than the backlog */
	scene_check(&scene, true, 5);
	assert_int_equal(group_slot_info(scene.group, SCENE_SLOT).overflows, 0);

	client = client_address(AF_INET, scene.line.next - 1); /* a client of the same slot */
	assert_int_equal(bind(fd, (void *)&client, address_length(&client)), 0);
	assert_int_equal(connect(fd, (void *)&scene.server, address_length(&scene.server)), -1);
	assert_int_equal(errno, EINPROGRESS);
	assert_int_equal(wait_until(somebody_was_dropped, &scene), 0);
	close(fd);

	overflows = group_slot_info(scene.group, SCENE_SLOT).overflows;
	worker = worker_start(scene.group, SCENE_SLOT);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, 5);
	assert_int_equal(sticky_worker_close(worker), 0);
	assert_int_equal(group_slot_info(scene.group, SCENE_SLOT).overflows, overflows);
	scene_end(&scene);
}

static void a_close_without_a_descriptor_to_spare_loses_nothing(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *worker = worker_start(scene.group, SCENE_SLOT);

	(void)state;
	scene_add(&scene, CLIENTS);
	descriptors_limit(0);
	assert_int_equal(sticky_worker_close(worker), -EMFILE);
	descriptors_unlimit();
	scene_check(&scene, true, CLIENTS);
	scene_add(&scene, 10);

	worker = worker_start(scene.group, SCENE_SLOT);
	scene_check(&scene, false, CLIENTS + 10);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, CLIENTS + 10);
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_end(&scene);
}

/* With two listeners, opening the second holding socket may fail. */
static void a_close_with_a_descriptor_too_few_loses_nothing(void **state)
{
	struct scene scene = scene_start("127.0.0.1:0", AF_INET);
	struct sticky_worker *worker;
	uint32_t before;

	(void)state;
	assert_int_equal(sticky_group_listen(scene.group, "127.0.0.1:0"), 1);
	worker = worker_start(scene.group, SCENE_SLOT);
	scene_add(&scene, 10);
	before = descriptors_count();
	descriptors_limit(1);
	assert_int_equal(sticky_worker_close(worker), -EMFILE);
	descriptors_unlimit();
	assert_int_equal(descriptors_count(), before);
	scene_check(&scene, true, 10);
	worker = worker_start(scene.group, SCENE_SLOT);
	waiting_serve_in_order(sticky_worker_fd(worker, 0), 0, 10);
	assert_int_equal(sticky_worker_close(worker), 0);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_that_was_shut_does_not_get_the_slot),
		cmocka_unit_test(a_second_listener_that_was_shut_gives_the_first_one_back),
		cmocka_unit_test(overflows_are_counted_over_all_workers),
		cmocka_unit_test(a_close_without_a_descriptor_to_spare_loses_nothing),
		cmocka_unit_test(a_close_with_a_descriptor_too_few_loses_nothing),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
