// SPDX-License-Identifier: MIT
/* The program is detached from a group. The group notices it, and attaches the program again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "sticky.h"

#define SLOTS	4
#define CLIENTS 64

#ifndef SO_DETACH_REUSEPORT_BPF
#define SO_DETACH_REUSEPORT_BPF 68
#endif

static void expect_steered(struct sticky_group *group, struct sticky_worker *const *workers,
			   sa_family_t family)
{
	struct sticky_counters before = group_counters(group), after;

	assert_int_equal(sticky_group_check(group), 0);
	after = group_counters(group);
	/* The test connection is not counted: no counter has changed. */
	assert_memory_equal(&after, &before, sizeof(after));
	assert_true(nothing_waits(sticky_worker_fd(workers[0], 0)));
	assert_int_equal(group_count_moved(group, workers, 0, family, CLIENTS), 0);
}

static void detach(struct sticky_worker *worker)
{
	int none = 0;

	assert_int_equal(setsockopt(sticky_worker_fd(worker, 0), SOL_SOCKET,
				    SO_DETACH_REUSEPORT_BPF, &none, sizeof(none)),
			 0);
}

static void detach_is_put_right(const char *address, sa_family_t family)
{
	struct sticky_group *group = group_start(SLOTS, address);
	struct sticky_worker *workers[SLOTS];

	workers_start(group, workers);
	expect_steered(group, workers, family);
	detach(workers[1]);
	/* Shows the fault: without a check, the clients stay scattered. */
	assert_true(group_count_moved(group, workers, 0, family, CLIENTS) > CLIENTS / 4);
	assert_int_equal(sticky_group_check(group), 1);
	workers_drain(workers, SLOTS);
	expect_steered(group, workers, family);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void a_detached_program_is_attached_again_v4(void **state)
{
	(void)state;
	detach_is_put_right("127.0.0.1:0", AF_INET);
}

static void a_detached_program_is_attached_again_v6(void **state)
{
	(void)state;
	if (group_lacks_v6())
		skip();
	detach_is_put_right("[::1]:0", AF_INET6);
}

static void a_detached_program_is_attached_again_dual_stack(void **state)
{
	(void)state;
	if (group_lacks_v6())
		skip();
	detach_is_put_right(":0", AF_INET);
}

static void a_change_of_hands_attaches_it_again(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS], *successor;
	int none = 0;

	(void)state;
	workers_start(group, workers);
	assert_int_equal(setsockopt(sticky_worker_fd(workers[1], 0), SOL_SOCKET,
				    SO_DETACH_REUSEPORT_BPF, &none, sizeof(none)),
			 0);
	successor = worker_start(group, 2);
	assert_int_equal(sticky_worker_close(workers[2]), 0);
	workers[2] = successor;
	expect_steered(group, workers, AF_INET);
	workers_close(group, workers);
	sticky_group_close(group);
}

/* A foreign socket in the group has a program that sends all connections to itself. */
static void a_foreign_program_is_replaced(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	struct sticky_worker *workers[SLOTS];
	struct sock_filter last = BPF_STMT(BPF_RET | BPF_K, 2 * SLOTS);
	struct sock_fprog program = {.len = 1, .filter = &last};
	int thief;

	(void)state;
	workers_start(group, workers);
	thief = plain_listen(&server, SO_REUSEPORT);
	assert_true(thief >= 0);
	assert_int_equal(
		setsockopt(thief, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)),
		0);
	assert_int_equal(sticky_group_check(group), 1);
	close(thief);
	workers_drain(workers, SLOTS);
	expect_steered(group, workers, AF_INET);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void each_listener_is_checked(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS];
	int none = 0;

	(void)state;
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 1);
	assert_int_equal(sticky_group_listen(group, "127.0.0.2:0"), 2);
	workers_start(group, workers);
	assert_int_equal(sticky_group_check(group), 0);
	assert_int_equal(setsockopt(sticky_worker_fd(workers[0], 1), SOL_SOCKET,
				    SO_DETACH_REUSEPORT_BPF, &none, sizeof(none)),
			 0);
	assert_int_equal(setsockopt(sticky_worker_fd(workers[0], 2), SOL_SOCKET,
				    SO_DETACH_REUSEPORT_BPF, &none, sizeof(none)),
			 0);
	assert_int_equal(sticky_group_check(group), 2);
	assert_int_equal(sticky_group_check(group), 0);
	workers_close(group, workers);
	sticky_group_close(group);
}

static int prepare_freebind(void *context, uint32_t listener, int fd)
{
	int yes = 1;

	(void)context;
	(void)listener;
	return setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &yes, sizeof(yes)) ? -errno : 0;
}

/*
 * A listener that cannot be asked keeps no other one from being checked. The machine does not have
 * the address of the first listener.
 */
static void expect_other_listener_is_checked(uint32_t engine, const char *absent)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_worker *worker;
	struct sticky_group *group;
	int none = 0;

	options.engine = engine;
	options.prepare = prepare_freebind;
	assert_int_equal(sticky_group_open(&options, &group), 0);
	assert_int_equal(sticky_group_listen(group, absent), 0);
	assert_int_equal(sticky_group_check(group), 0);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 1);
	worker = worker_start(group, 0);
	assert_int_equal(sticky_group_check(group), 0);
	assert_int_equal(setsockopt(sticky_worker_fd(worker, 1), SOL_SOCKET,
				    SO_DETACH_REUSEPORT_BPF, &none, sizeof(none)),
			 0);
	assert_int_equal(sticky_group_check(group), 1);
	assert_int_equal(sticky_group_check(group), 0);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

static void set_nonlocal_bind(const char *value)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_nonlocal_bind", "we");

	assert_non_null(file);
	assert_true(fputs(value, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void an_absent_address_is_not_checked_and_the_others_are(void **state)
{
	(void)state;
	expect_other_listener_is_checked(STICKY_ENGINE_KERNEL, "192.0.2.1:4711");
	expect_other_listener_is_checked(STICKY_ENGINE_CLASSIC, "192.0.2.1:4711");
	/* The test connection can then be bound, and there is no route. */
	set_nonlocal_bind("1");
	expect_other_listener_is_checked(STICKY_ENGINE_KERNEL, "192.0.2.1:4711");
	expect_other_listener_is_checked(STICKY_ENGINE_CLASSIC, "192.0.2.1:4711");
	set_nonlocal_bind("0");
	if (!group_lacks_v6())
		expect_other_listener_is_checked(STICKY_ENGINE_KERNEL, "[3fff::1]:4711");
}

/* ---- With either engine --------------------------------------------------------------- */

static const uint32_t engines[] = {STICKY_ENGINE_KERNEL, STICKY_ENGINE_CLASSIC};

static struct sticky_group *start_with(uint32_t engine, uint32_t slots, const char *address,
				       sticky_prepare_fn *prepare)
{
	struct sticky_group_options options = group_options(slots);
	struct sticky_group *group;

	options.engine = engine;
	options.prepare = prepare;
	assert_int_equal(sticky_group_open(&options, &group), 0);
	assert_int_equal(sticky_group_listen(group, address), 0);
	return group;
}

/*
 * With the classic engine the kernel's hash sends some test connections to the spare socket, also
 * when no program is attached.
 */
static void one_check_notices_it_in_each_group(void **state)
{
	int round;

	(void)state;
	for (round = 0; round < 30; round++) {
		struct sticky_group *group =
			start_with(STICKY_ENGINE_CLASSIC, SLOTS, "127.0.0.1:0", NULL);
		struct sticky_worker *workers[SLOTS];

		workers_start(group, workers);
		assert_int_equal(sticky_group_check(group), 0);
		detach(workers[0]);
		assert_int_equal(sticky_group_check(group), 1);
		assert_int_equal(sticky_group_check(group), 0);
		workers_close(group, workers);
		sticky_group_close(group);
	}
}

static int prepare_device(void *context, uint32_t listener, int fd)
{
	(void)context;
	(void)listener;
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "near", sizeof("near")) ? -errno : 0;
}

static void expect_device_is_checked(uint32_t engine, const char *address)
{
	struct sticky_group *group = start_with(engine, SLOTS, address, prepare_device);
	struct sticky_worker *workers[SLOTS];

	workers_start(group, workers);
	assert_int_equal(sticky_group_check(group), 0);
	detach(workers[1]);
	assert_int_equal(sticky_group_check(group), 1);
	assert_int_equal(sticky_group_check(group), 0);
	/* The device gets another address: nothing was lost. */
	assert_int_equal(system("ip address flush dev near && ip address add 10.9.0.7/24 dev near"),
			 0);
	assert_int_equal(sticky_group_check(group), 0);
	detach(workers[2]);
	assert_int_equal(sticky_group_check(group), 1);
	assert_int_equal(sticky_group_check(group), 0);
	/* Without an address nothing is known: a refusal is not the program's. */
	assert_int_equal(system("ip address flush dev near"), 0);
	assert_int_equal(sticky_group_check(group), -ECONNREFUSED);
	assert_int_equal(system("ip address add 10.9.0.1/24 dev near"), 0);
	assert_int_equal(sticky_group_check(group), 0);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void a_listener_of_a_device_is_checked(void **state)
{
	int peer = netns_open_peer();
	size_t i;

	(void)state;
	if (peer < 0)
		skip();
	for (i = 0; i < 2; i++) {
		expect_device_is_checked(engines[i], "0.0.0.0:0");
		if (!group_lacks_v6())
			expect_device_is_checked(engines[i], ":0");
	}
	close(peer);
}

/* A foreign socket at loopback answers the test connection. The program is attached. */
static void expect_foreign_is_told_apart(uint32_t engine, const char *address, const char *foreign)
{
	struct sticky_group *group = start_with(engine, SLOTS, address, NULL);
	struct sockaddr_storage place = address_of(foreign, group_port(group, 0));
	struct sticky_worker *workers[SLOTS];
	int fd;

	workers_start(group, workers);
	assert_int_equal(sticky_group_check(group), 0);
	fd = plain_listen(&place, SO_REUSEPORT);
	assert_true(fd >= 0);
	assert_int_equal(sticky_group_check(group), -EADDRINUSE);
	/* From now on another address is asked. */
	assert_int_equal(sticky_group_check(group), 0);
	detach(workers[1]);
	assert_int_equal(sticky_group_check(group), 1);
	assert_int_equal(sticky_group_check(group), 0);
	close(fd);
	assert_int_equal(sticky_group_check(group), 0);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void a_more_specific_listener_is_no_loss(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		expect_foreign_is_told_apart(engines[i], "0.0.0.0:0", "127.0.0.1");
		if (!group_lacks_v6())
			expect_foreign_is_told_apart(engines[i], ":0", "::1");
	}
}

/* Where foreign sockets answer at each address, nothing is known, and nothing is called lost. */
static void foreign_listeners_at_all_addresses_are_no_loss(void **state)
{
	static const char *const addresses[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};
	size_t i, j;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct sticky_group *group = start_with(engines[i], SLOTS, "0.0.0.0:0", NULL);
		struct sticky_worker *workers[SLOTS];
		int foreign[3];

		workers_start(group, workers);
		for (j = 0; j < 3; j++) {
			struct sockaddr_storage place =
				address_of(addresses[j], group_port(group, 0));

			foreign[j] = plain_listen(&place, SO_REUSEPORT);
			assert_true(foreign[j] >= 0);
		}
		for (j = 0; j < 3; j++)
			assert_int_equal(sticky_group_check(group), -EADDRINUSE);
		close_all(foreign, 3);
		assert_int_equal(sticky_group_check(group), 0);
		workers_close(group, workers);
		sticky_group_close(group);
	}
}

/* Without descriptors no listener can be asked: that is an error. */
static void an_error_is_returned_if_nothing_was_restored(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");

	(void)state;
	descriptors_limit(0);
	assert_int_equal(sticky_group_check(group), -EMFILE);
	descriptors_unlimit();
	assert_int_equal(sticky_group_check(group), 0);
	sticky_group_close(group);
}

static void a_group_that_refuses_is_not_checked(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");

	(void)state;
	assert_int_equal(sticky_group_check(group), 0);
	assert_int_equal(sticky_group_refuse(group), 0);
	assert_int_equal(sticky_group_check(group), 0);
	sticky_group_close(group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_detached_program_is_attached_again_v4),
		cmocka_unit_test(a_detached_program_is_attached_again_v6),
		cmocka_unit_test(a_detached_program_is_attached_again_dual_stack),
		cmocka_unit_test(a_change_of_hands_attaches_it_again),
		cmocka_unit_test(a_foreign_program_is_replaced),
		cmocka_unit_test(each_listener_is_checked),
		cmocka_unit_test(an_absent_address_is_not_checked_and_the_others_are),
		cmocka_unit_test(one_check_notices_it_in_each_group),
		cmocka_unit_test(a_listener_of_a_device_is_checked),
		cmocka_unit_test(a_more_specific_listener_is_no_loss),
		cmocka_unit_test(foreign_listeners_at_all_addresses_are_no_loss),
		cmocka_unit_test(an_error_is_returned_if_nothing_was_restored),
		cmocka_unit_test(a_group_that_refuses_is_not_checked),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
