// SPDX-License-Identifier: MIT
/* What the host brings along: options of its sockets, and listening sockets that it made itself. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "sticky.h"

#define SLOTS  4
#define QUEUED 200

/* ---- The callback `prepare` ------------------------------------------------------------------ */

/* What the callback sets, and how often it was called for each listener. */
struct wish {
	int level, name, value;
	const char *devices[STICKY_LISTENERS_LIMIT]; /* for SO_BINDTODEVICE */
	int result;
	uint32_t calls[STICKY_LISTENERS_LIMIT];
};

static int prepare(void *context, uint32_t listener, int fd)
{
	struct wish *wish = context;
	const char *device = wish->devices[listener];
	int error;

	wish->calls[listener]++;
	if (device)
		error = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
				   (socklen_t)strlen(device));
	else
		error = setsockopt(fd, wish->level, wish->name, &wish->value, sizeof(wish->value));
	return error ? -errno : wish->result;
}

static struct sticky_group *open_prepared(struct wish *wish)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_group *group;

	options.prepare = prepare;
	options.prepare_context = wish;
	assert_int_equal(sticky_group_open(&options, &group), 0);
	return group;
}

static int read_option(int fd, const struct wish *wish)
{
	int value = -1;
	socklen_t length = sizeof(value);

	assert_int_equal(getsockopt(fd, wish->level, wish->name, &value, &length), 0);
	return value;
}

/* Each socket has the option: the holding ones, those of workers, those of dispatchers. */
static void check_option(struct wish *wish, int expected)
{
	struct sticky_group *group = open_prepared(wish);
	struct sticky_dispatchers *dispatchers;
	struct sticky_worker *worker;
	uint32_t slot;

	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 0);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 1);
	assert_in_range(wish->calls[0], SLOTS, 3 * SLOTS);
	assert_in_range(wish->calls[1], SLOTS, 3 * SLOTS);
	for (slot = 0; slot < SLOTS; slot++)
		assert_int_equal(read_option(sticky_slot_holding_fd(group, slot, 1), wish),
				 expected);
	worker = worker_start(group, 0);
	assert_int_equal(read_option(sticky_worker_fd(worker, 1), wish), expected);
	assert_int_equal(sticky_worker_serve(worker, 1, false), 0);
	assert_int_equal(sticky_worker_serve(worker, 1, true), 0);
	assert_int_equal(read_option(sticky_worker_fd(worker, 1), wish), expected);
	assert_int_equal(sticky_dispatchers_open(group, 1, &dispatchers), 0);
	assert_int_equal(read_option(sticky_dispatchers_fd(dispatchers, 0, 1), wish), expected);
	sticky_dispatchers_close(dispatchers);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

static void every_socket_has_the_options_of_the_host(void **state)
{
	struct wish defer = {.level = IPPROTO_TCP, .name = TCP_DEFER_ACCEPT, .value = 3};
	struct wish fastopen = {.level = IPPROTO_TCP, .name = TCP_FASTOPEN, .value = 16};
	struct wish mark = {.level = SOL_SOCKET, .name = SO_MARK, .value = 7};
	struct wish transparent = {.level = IPPROTO_IP, .name = IP_TRANSPARENT, .value = 1};

	(void)state;
	check_option(&defer, 3);
	check_option(&fastopen, 16);
	check_option(&mark, 7);
	check_option(&transparent, 1);
}

/* Connect to port 4711 of an address. The connection must come to this listener of its slot. */
static void expect_arrival(struct sticky_group *group, const char *source, const char *to,
			   uint32_t listener, int peer)
{
	struct sockaddr_storage client = address_of(source, 0), server = address_of(to, 4711);
	struct sticky_worker *worker = worker_start(group, group_slot_of(group, &client));
	int home = peer < 0 ? -1 : netns_switch(peer), accepted, fd;

	fd = client_connect(&client, &server);
	if (home >= 0)
		close(netns_switch(home));
	close(home);
	assert_true(fd >= 0);
	assert_int_equal(wait_readable(sticky_worker_fd(worker, listener)), 0);
	accepted = client_accept(sticky_worker_fd(worker, listener));
	assert_true(accepted >= 0);
	assert_true(nothing_waits(sticky_worker_fd(worker, !listener)));
	close(accepted);
	close(fd);
	assert_int_equal(sticky_worker_close(worker), 0);
}

static void a_device_tells_listeners_of_one_port_apart(void **state)
{
	struct wish wish = {.devices = {"lo", "near", "lo"}};
	int peer = netns_open_peer();
	struct sticky_group *group;

	(void)state;
	if (peer < 0)
		skip();
	group = open_prepared(&wish);
	assert_int_equal(sticky_group_listen(group, "0.0.0.0:4711"), 0);
	assert_int_equal(sticky_group_listen(group, "0.0.0.0:4711"), 1);
	assert_int_equal(sticky_group_listen(group, "0.0.0.0:4711"), -EADDRINUSE);
	expect_arrival(group, "127.1.2.3", "127.0.0.1", 0, -1);
	expect_arrival(group, "10.9.0.2", "10.9.0.1", 1, peer);
	sticky_group_close(group);
	close(peer);
}

static void freebind_listens_where_the_machine_has_no_address(void **state)
{
	struct wish wish = {.level = IPPROTO_IP, .name = IP_FREEBIND, .value = 1};
	struct sticky_group *plain = group_start(SLOTS, "127.0.0.1:0"), *group;

	(void)state;
	assert_int_equal(sticky_group_listen(plain, "192.0.2.1:4711"), -EADDRNOTAVAIL);
	sticky_group_close(plain);
	group = open_prepared(&wish);
	assert_int_equal(sticky_group_listen(group, "192.0.2.1:4711"), 0);
	sticky_group_close(group);
}

/* TCP_DEFER_ACCEPT: the connection is in the queue when the client has sent something. */
static void a_deferred_connection_keeps_its_slot_when_it_moves(void **state)
{
	struct wish wish = {.level = IPPROTO_TCP, .name = TCP_DEFER_ACCEPT, .value = 10};
	struct sticky_group *group = open_prepared(&wish);
	struct sticky_worker *worker, *next;
	struct sockaddr_storage server, source;
	int client, accepted;
	uint32_t number;

	(void)state;
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 0);
	server = group_server(group, 0, AF_INET);
	source = client_address(AF_INET, group_client_of_slot(group, AF_INET, 1, 0));
	worker = worker_start(group, 1);
	client = client_connect(&source, &server);
	assert_true(client >= 0);
	assert_true(nothing_waits(sticky_worker_fd(worker, 0)));
	next = worker_start(group, 1);
	assert_int_equal(sticky_worker_close(worker), 0);
	assert_int_equal(number_send(client, 4711), 0);
	assert_int_equal(wait_readable(sticky_worker_fd(next, 0)), 0);
	accepted = client_accept(sticky_worker_fd(next, 0));
	assert_int_equal(number_receive(accepted, &number), 0);
	assert_int_equal(number, 4711);
	close(accepted);
	close(client);
	assert_int_equal(sticky_worker_close(next), 0);
	sticky_group_close(group);
}

static void an_error_of_the_callback_is_that_of_the_function(void **state)
{
	struct wish wish = {.level = SOL_SOCKET, .name = SO_KEEPALIVE, .value = 1};
	struct sticky_group *group = open_prepared(&wish);
	uint32_t before = descriptors_count();
	struct sticky_worker *worker;

	(void)state;
	wish.result = -EKEYREJECTED;
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), -EKEYREJECTED);
	assert_int_equal(descriptors_count(), before);
	assert_int_equal(sticky_group_listener_count(group), 0);
	wish.result = 0;
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 0);
	before = descriptors_count();
	wish.result = -EKEYREJECTED;
	assert_int_equal(sticky_worker_open(group, 0, &worker), -EKEYREJECTED);
	assert_int_equal(sticky_group_set_slots(group, SLOTS + 1), -EKEYREJECTED);
	assert_int_equal(descriptors_count(), before);
	sticky_group_close(group);
}

/* ---- A listening socket of the host ---------------------------------------------------------- */

/* Take a listening socket over while connections wait in it, and serve them in their slots. */
static void take_over(struct sockaddr_storage server, int option)
{
	struct sticky_group_options options = group_options(SLOTS);
	int fd = plain_listen(&server, option), clients[QUEUED];
	struct sticky_worker *workers[SLOTS];
	struct sticky_group *group;
	uint32_t i, by, slots[QUEUED];

	assert_true(fd >= 0);
	assert_int_equal(sticky_group_open(&options, &group), 0);
	for (i = 0; i < QUEUED; i++) {
		struct sockaddr_storage source = client_address(AF_INET, i);

		slots[i] = group_slot_of(group, &source);
		clients[i] = client_connect(i < QUEUED / 2 ? &source : NULL, &server);
		assert_true(clients[i] >= 0);
		assert_int_equal(client_settle(clients[i]), 0);
		close(i < QUEUED / 2 ? -1 : clients[i]);
	}
	assert_int_equal(sticky_group_listen_socket(group, fd), 0);
	close(fd);
	workers_start(group, workers);
	for (i = 0; i < QUEUED; i++) {
		int accepted = workers_accept(workers, SLOTS, 0, &by);
		uint32_t at;

		assert_true(accepted >= 0);
		for (at = 0; at < QUEUED / 2; at++)
			if (is_peer(accepted, clients[at]))
				assert_int_equal(by, slots[at]);
		close(accepted);
	}
	close_all(clients, QUEUED / 2);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void a_listening_socket_of_the_host_is_taken_over_with_its_queue(void **state)
{
	(void)state;
	take_over(address_of("127.0.0.1", 0), SO_REUSEPORT);
	take_over(address_of("127.0.0.1", 0), SO_REUSEADDR); /* as systemd makes it */
}

/* The connections of such a socket do not share their address: the kernel's rule. */
static void without_so_reuseaddr_only_an_idle_socket_is_taken_over(void **state)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct sockaddr_storage server = address_of("127.0.0.1", 0);
	int fd = plain_listen(&server, 0), client;
	struct sticky_group *group;

	(void)state;
	assert_int_equal(sticky_group_open(&options, &group), 0);
	client = client_connect(NULL, &server);
	assert_int_equal(client_settle(client), 0);
	assert_int_equal(sticky_group_listen_socket(group, fd), -EADDRINUSE);
	close(fd);
	close(client);
	server = address_of("127.0.0.1", 0);
	fd = plain_listen(&server, 0);
	assert_int_equal(sticky_group_listen_socket(group, fd), 0);
	close(fd);
	sticky_group_close(group);
}

static void sockets_that_cannot_be_taken_over_are_refused(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage name = {.ss_family = AF_UNIX};
	uint32_t before = descriptors_count();

	(void)state;
	assert_int_equal(bind(local, (void *)&name, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(local, 1), 0);
	assert_int_equal(sticky_group_listen_socket(group, silent), -EINVAL);
	assert_int_equal(sticky_group_listen_socket(group, local), -EAFNOSUPPORT);
	assert_int_equal(sticky_group_listen_socket(group, STDIN_FILENO), -ENOTSOCK);
	assert_int_equal(sticky_group_listen_socket(group, -1), -EBADF);
	assert_int_equal(sticky_group_listener_count(group), 1);
	assert_int_equal(descriptors_count(), before);
	close(silent);
	close(local);
	sticky_group_close(group);
}

static int open_user_group(struct sticky_group **ret_group)
{
	struct sticky_group_options options = group_options(SLOTS);

	options.engine = STICKY_ENGINE_USER;
	return sticky_group_open(&options, ret_group);
}

/* The sockets of the first listener would get no connection any more. */
static void an_address_is_one_listener(void **state)
{
	struct sockaddr_storage server = address_of("127.0.0.1", 0);
	int fd = plain_listen(&server, SO_REUSEPORT), beside;
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0"), *user;
	char address[STICKY_ADDRESS_TEXT_SIZE];
	uint32_t before;

	(void)state;
	assert_int_equal(sticky_group_listen_socket(group, fd), 1);
	before = descriptors_count();
	assert_int_equal(sticky_group_listen_socket(group, fd), -EADDRINUSE);
	/* Another socket of the same address, and one beside the listener that was not passed. */
	beside = plain_listen(&server, SO_REUSEPORT);
	assert_int_equal(sticky_group_listen_socket(group, beside), -EADDRINUSE);
	close(beside);
	server = group_server(group, 0, AF_INET);
	beside = plain_listen(&server, SO_REUSEPORT);
	assert_int_equal(sticky_group_listen_socket(group, beside), -EADDRINUSE);
	close(beside);
	assert_int_equal(descriptors_count(), before);
	assert_int_equal(sticky_group_listener_count(group), 2);
	sticky_group_close(group);

	assert_int_equal(open_user_group(&user), 0);
	assert_int_equal(sticky_group_listen_socket(user, fd), 0);
	assert_int_equal(sticky_group_listen_socket(user, fd), -EADDRINUSE);
	close(fd);
	assert_int_equal(sticky_group_listener_address(user, 0, sizeof(address), address), 0);
	assert_int_equal(sticky_group_listen(user, address), -EADDRINUSE);
	assert_int_equal(sticky_group_listener_count(user), 1);
	sticky_group_close(user);
}

/* A second group would attach its program to the sockets of the first one. */
static void a_socket_of_a_group_is_not_taken_over(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0"), *other;
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_worker *worker = worker_start(group, 0);
	struct sticky_dispatchers *dispatchers;
	int alone = sticky_listen("127.0.0.1:0", 0);

	(void)state;
	assert_int_equal(sticky_group_open(&options, &other), 0);
	assert_int_equal(sticky_dispatchers_open(group, 1, &dispatchers), 0);
	assert_int_equal(sticky_group_listen_socket(other, sticky_worker_fd(worker, 0)), -EBUSY);
	assert_int_equal(sticky_group_listen_socket(other, sticky_slot_holding_fd(group, 1, 0)),
			 -EBUSY);
	assert_int_equal(
		sticky_group_listen_socket(other, sticky_dispatchers_fd(dispatchers, 0, 0)),
		-EBUSY);
	assert_int_equal(sticky_group_listen_socket(other, alone), -EBUSY);
	sticky_dispatchers_close(dispatchers);
	assert_int_equal(sticky_group_listen_socket(group, sticky_worker_fd(worker, 0)), -EBUSY);
	assert_int_equal(sticky_group_listener_count(other), 0);
	assert_int_equal(sticky_group_check(group), 0);
	close(alone);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(other);
	sticky_group_close(group);
}

/* systemd keeps its socket, and passes it once more to the next process. */
static void the_socket_of_a_group_that_has_ended_is_taken_over_again(void **state)
{
	struct sockaddr_storage server = address_of("127.0.0.1", 0);
	int fd = plain_listen(&server, SO_REUSEADDR), round;

	(void)state;
	for (round = 0; round < 3; round++) {
		struct sticky_group_options options = group_options(SLOTS);
		struct sticky_group *group;

		assert_int_equal(sticky_group_open(&options, &group), 0);
		assert_int_equal(sticky_group_listen_socket(group, fd), 0);
		sticky_group_close(group);
	}
	close(fd);
}

/* ---- Statistics ------------------------------------------------------------------------------ */

static void statistics_are_those_of_the_slots(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_counters counters = {.size = sizeof(counters)};
	uint64_t steered[SLOTS], expected[SLOTS] = {0}, sum = 0;
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	int clients[QUEUED];
	uint32_t i;

	(void)state;
	for (i = 0; i < QUEUED; i++) {
		struct sockaddr_storage source = client_address(AF_INET, i);
		int slot = sticky_group_slot_of(group, (void *)&source);

		assert_int_equal(slot, group_slot_of(group, &source));
		clients[i] = client_connect(&source, &server);
		assert_true(clients[i] >= 0);
		expected[slot]++;
	}
	assert_int_equal(sticky_group_statistics(group, &counters, SLOTS, steered), 0);
	for (i = 0; i < SLOTS; i++) {
		assert_int_equal(steered[i], expected[i]);
		sum += steered[i];
	}
	assert_int_equal(counters.steered, sum);
	assert_int_equal(sticky_group_statistics(group, &counters, STICKY_SLOTS_LIMIT + 1, steered),
			 -EINVAL);
	counters.size = 8;
	assert_int_equal(sticky_group_statistics(group, &counters, 0, NULL), -EINVAL);
	close_all(clients, QUEUED);
	sticky_group_close(group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_socket_has_the_options_of_the_host),
		cmocka_unit_test(a_device_tells_listeners_of_one_port_apart),
		cmocka_unit_test(freebind_listens_where_the_machine_has_no_address),
		cmocka_unit_test(a_deferred_connection_keeps_its_slot_when_it_moves),
		cmocka_unit_test(an_error_of_the_callback_is_that_of_the_function),
		cmocka_unit_test(a_listening_socket_of_the_host_is_taken_over_with_its_queue),
		cmocka_unit_test(without_so_reuseaddr_only_an_idle_socket_is_taken_over),
		cmocka_unit_test(sockets_that_cannot_be_taken_over_are_refused),
		cmocka_unit_test(an_address_is_one_listener),
		cmocka_unit_test(a_socket_of_a_group_is_not_taken_over),
		cmocka_unit_test(the_socket_of_a_group_that_has_ended_is_taken_over_again),
		cmocka_unit_test(statistics_are_those_of_the_slots),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
