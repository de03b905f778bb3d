// SPDX-License-Identifier: MIT
/*
 * Listening addresses: which are accepted, which are refused and why. A refusal leaves nothing
 * behind.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/caps.h"
#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "sticky.h"

#define SLOTS	     8
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct sticky_group *open_group(uint32_t slots)
{
	struct sticky_group_options options = group_options(slots);
	struct sticky_group *group;

	assert_int_equal(sticky_group_open(&options, &group), 0);
	return group;
}

/* Returns an address as a text, such as "127.0.0.1:4711". */
static const char *with_port(const char *host, uint16_t port)
{
	static char text[STICKY_ADDRESS_TEXT_SIZE];

	snprintf(text, sizeof(text), "%s:%u", host, port);
	return text;
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
	return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

static void bad_addresses_are_refused(void **state)
{
	static const struct {
		const char *address;
		int error;
	} bad[] = {
		{"", -EINVAL},
		{":", -EINVAL},
		{"80", -EINVAL},
		{"127.0.0.1", -EINVAL},
		{"127.0.0.1:65536", -EINVAL},
		{"::1:80", -EINVAL},
		{"[::1", -EINVAL},
		{"[127.0.0.1]:80", -EINVAL},
		{"[localhost]:80", -EINVAL},
		{"[::1%no_such_zone]:80", -EINVAL},
		{"192.0.2.1:0", -EADDRNOTAVAIL},
		{"no-such-name.invalid:80", -ENOENT},
	};
	struct sticky_group *group = open_group(2);
	uint32_t before = descriptors_count();
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		int result = sticky_group_listen(group, bad[i].address);

		if (result != bad[i].error)
			fail_msg("\"%s\": %d (%s)", bad[i].address, result, strerror(-result));
		assert_int_equal(descriptors_count(), before);
	}
	assert_int_equal(sticky_group_listener_count(group), 0);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 0);
	sticky_group_close(group);
}

static void names_are_looked_up(void **state)
{
	struct sticky_group *group = open_group(2);
	struct sockaddr_storage server;
	int client;

	(void)state;
	assert_int_equal(sticky_group_listen(group, "localhost:0"), 0);
	server = address_of("127.0.0.1", group_port(group, 0));
	client = client_connect(NULL, &server);
	if (client < 0) { /* on this machine the first address of the name is ::1 */
		server = address_of("::1", group_port(group, 0));
		client = client_connect(NULL, &server);
	}
	assert_true(client >= 0);
	close(client);
	sticky_group_close(group);
}

static void check_in_use(const char *address)
{
	struct sticky_group *group = open_group(SLOTS);
	uint32_t before = descriptors_count();

	assert_int_equal(sticky_group_listen(group, address), -EADDRINUSE);
	assert_int_equal(sticky_group_listener_count(group), 0);
	assert_int_equal(descriptors_count(), before);
	sticky_group_close(group);
}

static void an_address_of_a_plain_listener_is_in_use(void **state)
{
	struct sockaddr_storage address = address_of("127.0.0.1", 0);
	int fd = plain_listen(&address, 0);

	(void)state;
	check_in_use(with_port("127.0.0.1", port_of(&address)));
	close(fd);
}

/*
 * The wildcard address is refused if a more specific address would take connections away from it.
 */
static void a_port_of_a_more_specific_listener_is_in_use(void **state)
{
	struct sockaddr_storage address = address_of("127.0.0.1", 0);
	int fd = plain_listen(&address, SO_REUSEPORT);

	(void)state;
	check_in_use(with_port("", port_of(&address)));
	check_in_use(with_port("0.0.0.0", port_of(&address)));
	close(fd);
}

static void an_address_of_another_group_is_in_use(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");

	(void)state;
	check_in_use(with_port("127.0.0.1", group_port(group, 0)));
	check_in_use(with_port("", group_port(group, 0)));
	sticky_group_close(group);
}

static void a_specific_address_of_a_wildcard_group_is_in_use(void **state)
{
	struct sticky_group *group = group_start(SLOTS, ":0");

	(void)state;
	check_in_use(with_port("127.0.0.1", group_port(group, 0)));
	check_in_use(with_port("", group_port(group, 0)));
	sticky_group_close(group);
}

static void the_same_address_twice_is_in_use(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");

	(void)state;
	assert_int_equal(sticky_group_listen(group, with_port("127.0.0.1", group_port(group, 0))),
			 -EADDRINUSE);
	assert_int_equal(sticky_group_listener_count(group), 1);
	sticky_group_close(group);
}

/* Show why the address is checked: without the check a second program joins the group unnoticed. */
static void without_the_check_a_second_program_joins_silently(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sockaddr_storage address = address_of("127.0.0.1", group_port(group, 0));
	int fd = plain_listen(&address, SO_REUSEPORT);

	(void)state;
	close(fd);
	sticky_group_close(group);
}

/* Leave a connection in TIME_WAIT on the server's side, without a listening socket. */
static uint16_t leave_time_wait(void)
{
	struct sockaddr_storage address = address_of("127.0.0.1", 0);
	/* SO_REUSEADDR is set as in every server. The kernel requires it on both sockets. */
	int listening = plain_listen(&address, SO_REUSEADDR);
	int client = client_connect(NULL, &address), accepted = client_accept(listening);
	uint32_t number;

	assert_true(client >= 0 && accepted >= 0);
	close(accepted); /* the side that closes first goes to TIME_WAIT */
	assert_int_equal(number_receive(client, &number), -ENODATA);
	close(client);
	close(listening);
	return port_of(&address);
}

static int try_plain_bind(uint16_t port)
{
	struct sockaddr_storage address = address_of("127.0.0.1", port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = bind(fd, (void *)&address, address_length(&address)) ? -errno : 0;

	close(fd);
	return error;
}

static void an_address_with_only_time_wait_is_free(void **state)
{
	uint16_t port = leave_time_wait();
	struct sticky_group *group = open_group(SLOTS);

	(void)state;
	/* This call shows that the connection is in TIME_WAIT. */
	assert_int_equal(try_plain_bind(port), -EADDRINUSE);
	assert_int_equal(sticky_group_listen(group, with_port("127.0.0.1", port)), 0);
	sticky_group_close(group);
}

static void an_address_is_free_again_after_the_group(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	uint16_t port = group_port(group, 0);
	uint32_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		sticky_group_close(group);
		group = group_start(SLOTS, with_port("127.0.0.1", port));
	}
	sticky_group_close(group);
}

static void a_port_below_1024_needs_its_capability(void **state)
{
	struct sticky_group *group = open_group(SLOTS);
	uint32_t before = descriptors_count();

	(void)state;
	assert_int_equal(caps_set(CAP_NET_BIND_SERVICE, false), 0);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:80"), -EACCES);
	assert_int_equal(descriptors_count(), before);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:1024"), 0);
	assert_int_equal(caps_set(CAP_NET_BIND_SERVICE, true), 0);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:80"), 1);
	sticky_group_close(group);
}

/* A new worker binds new sockets, which needs the capability, too. */
static void a_new_worker_below_1024_needs_its_capability(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:80");
	uint32_t before = descriptors_count();
	struct sticky_worker *worker;

	(void)state;
	assert_int_equal(caps_set(CAP_NET_BIND_SERVICE, false), 0);
	assert_int_equal(sticky_worker_open(group, 0, &worker), -EACCES);
	assert_int_equal(caps_set(CAP_NET_BIND_SERVICE, true), 0);
	assert_int_equal(descriptors_count(), before);
	assert_int_equal(sticky_worker_open(group, 0, &worker), 0);
	assert_int_equal(sticky_worker_generation(worker), 1);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

static void port_0_is_one_free_port_for_all_slots(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *workers[SLOTS];
	uint16_t port = group_port(group, 0);
	uint32_t slot;

	(void)state;
	assert_int_not_equal(port, 0);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 1);
	assert_int_not_equal(group_port(group, 1), port);
	workers_start(group, workers);
	for (slot = 0; slot < SLOTS; slot++) {
		struct sockaddr_storage address = {0};
		socklen_t length = sizeof(address);

		assert_int_equal(
			getsockname(sticky_worker_fd(workers[slot], 0), (void *)&address, &length),
			0);
		assert_int_equal(port_of(&address), port);
	}
	workers_close(group, workers);
	sticky_group_close(group);
}

static void addresses_are_told_as_they_are_bound(void **state)
{
	struct sticky_group *group = open_group(1);
	char text[STICKY_ADDRESS_TEXT_SIZE];

	(void)state;
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:4711"), 0);
	assert_int_equal(sticky_group_listener_address(group, 0, sizeof(text), text), 0);
	assert_string_equal(text, "127.0.0.1:4711");
	assert_int_equal(sticky_group_listener_address(group, 0, 14, text), -ENOSPC);
	assert_int_equal(sticky_group_listener_address(group, 0, 15, text), 0);
	assert_int_equal(sticky_group_listener_address(group, 1, sizeof(text), text), -EINVAL);
	if (!group_lacks_v6()) {
		assert_int_equal(sticky_group_listen(group, "[::1]:4711"), 1);
		assert_int_equal(sticky_group_listener_address(group, 1, sizeof(text), text), 0);
		assert_string_equal(text, "[::1]:4711");
		assert_int_equal(sticky_group_listen(group, ":4712"), 2);
		assert_int_equal(sticky_group_listener_address(group, 2, sizeof(text), text), 0);
		assert_string_equal(text, "[::]:4712");
	}
	sticky_group_close(group);
}

/* "[::]" is IPv6 only: an IPv4 listener may be opened beside it. */
static void v6_in_brackets_leaves_v4_alone(void **state)
{
	struct sticky_group *group = open_group(2);

	(void)state;
	if (group_lacks_v6()) {
		sticky_group_close(group);
		skip();
	}
	assert_int_equal(sticky_group_listen(group, "[::]:4711"), 0);
	assert_int_equal(sticky_group_listen(group, "0.0.0.0:4711"), 1);
	sticky_group_close(group);
}

/* Check that a connection to a port arrives at a socket. */
static void check_accepts(int fd, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), accepted;

	assert_int_equal(connect(client, (void *)&address, sizeof(address)), 0);
	accepted = accept(fd, NULL, NULL);
	assert_true(accepted >= 0);
	close(accepted);
	close(client);
}

static uint16_t socket_port(int fd)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);

	assert_int_equal(getsockname(fd, (void *)&address, &length), 0);
	return ntohs(address.sin_port);
}

static void listeners_may_come_after_workers(void **state)
{
	struct sticky_group *group = open_group(1);
	struct sticky_worker *ready, *starting;

	(void)state;
	assert_int_equal(sticky_worker_open(group, 1, &ready), -EINVAL);
	assert_int_equal(sticky_worker_open(group, 0, &ready), 0);
	assert_int_equal(sticky_worker_slot(ready), 0);
	assert_int_equal(sticky_worker_fd(ready, 0), -EINVAL);
	assert_int_equal(sticky_worker_fd(ready, STICKY_LISTENERS_LIMIT), -EINVAL);

	/* A second group waits for the address. */
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 0);
	assert_true(sticky_worker_fd(ready, 0) >= 0);
	assert_int_equal(sticky_worker_ready(ready), 0);
	check_accepts(sticky_worker_fd(ready, 0), socket_port(sticky_worker_fd(ready, 0)));

	/* One worker has the slot, and one is starting. */
	assert_int_equal(sticky_worker_open(group, 0, &starting), 0);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 1);
	check_accepts(sticky_worker_fd(ready, 1), socket_port(sticky_worker_fd(ready, 1)));
	assert_int_equal(sticky_worker_ready(starting), 0);
	check_accepts(sticky_worker_fd(starting, 1), socket_port(sticky_worker_fd(ready, 1)));
	check_accepts(sticky_worker_fd(starting, 0), socket_port(sticky_worker_fd(ready, 0)));
	assert_int_equal(sticky_worker_close(ready), 0);
	assert_int_equal(sticky_worker_close(starting), 0);
	assert_int_equal(sticky_group_refuse(group), 0);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), -ESHUTDOWN);
	sticky_group_close(group);
}

static void there_are_so_many_listeners_and_no_more(void **state)
{
	struct sticky_group *group = open_group(2);
	uint32_t before, i;

	(void)state;
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), i);
	before = descriptors_count();
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), -E2BIG);
	assert_int_equal(descriptors_count(), before);
	sticky_group_close(group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_addresses_are_refused),
		cmocka_unit_test(names_are_looked_up),
		cmocka_unit_test(an_address_of_a_plain_listener_is_in_use),
		cmocka_unit_test(a_port_of_a_more_specific_listener_is_in_use),
		cmocka_unit_test(an_address_of_another_group_is_in_use),
		cmocka_unit_test(a_specific_address_of_a_wildcard_group_is_in_use),
		cmocka_unit_test(the_same_address_twice_is_in_use),
		cmocka_unit_test(without_the_check_a_second_program_joins_silently),
		cmocka_unit_test(an_address_with_only_time_wait_is_free),
		cmocka_unit_test(an_address_is_free_again_after_the_group),
		cmocka_unit_test(a_port_below_1024_needs_its_capability),
		cmocka_unit_test(a_new_worker_below_1024_needs_its_capability),
		cmocka_unit_test(port_0_is_one_free_port_for_all_slots),
		cmocka_unit_test(addresses_are_told_as_they_are_bound),
		cmocka_unit_test(v6_in_brackets_leaves_v4_alone),
		cmocka_unit_test(listeners_may_come_after_workers),
		cmocka_unit_test(there_are_so_many_listeners_and_no_more),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
