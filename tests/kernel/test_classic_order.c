// SPDX-License-Identifier: MIT
/*
 * What the kernel does with a classic program's return value. The classic engine depends on this
 * behaviour: see src/engine/socket_order.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/clients.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "engine/classic_attach.h"

#define SOCKETS 5
#define CLIENTS 24

struct sockets {
	int fd[SOCKETS];
	struct sockaddr_storage server;
};

static void join(struct sockets *sockets, int place)
{
	sockets->fd[place] = plain_listen(&sockets->server, SO_REUSEPORT);
	assert_true(sockets->fd[place] >= 0);
}

static struct sockets open_sockets(void)
{
	struct sockets sockets = {.server = address_of("127.0.0.1", 0)};
	int i;

	for (i = 0; i < SOCKETS; i++)
		join(&sockets, i);
	return sockets;
}

/* Attach a program that always returns this index. */
static void attach_index(int fd, uint32_t index)
{
	static struct classic_program program;

	program.length = 1;
	program.code[0] = (struct sock_filter){.code = BPF_RET | BPF_K, .k = index};
	assert_int_equal(classic_attach(fd, &program), 0);
}

/* Connect once. Returns the place of the socket that got the connection. */
static int connect_once(const struct sockets *sockets, uint32_t client)
{
	struct pollfd polls[SOCKETS];
	struct sockaddr_storage source = client_address(AF_INET, client);
	int ends[2], i, place = -1;

	for (i = 0; i < SOCKETS; i++)
		polls[i] = (struct pollfd){.fd = sockets->fd[i], .events = POLLIN};
	ends[0] = client_connect(&source, &sockets->server);
	assert_true(ends[0] >= 0);
	assert_true(poll(polls, SOCKETS, WAIT_DEADLINE_MS) > 0);
	for (i = 0; i < SOCKETS; i++)
		if (polls[i].revents & POLLIN)
			place = i;
	assert_true(place >= 0);
	ends[1] = client_accept(sockets->fd[place]);
	close_all(ends, 2);
	return place;
}

static void expect_at(const struct sockets *sockets, uint32_t index, int place)
{
	int i;

	attach_index(sockets->fd[place], index);
	for (i = 0; i < CLIENTS; i++)
		assert_int_equal(connect_once(sockets, (uint32_t)i), place);
}

static void the_index_is_the_order_of_joining(void **state)
{
	struct sockets sockets = open_sockets();
	int i;

	(void)state;
	for (i = 0; i < SOCKETS; i++)
		expect_at(&sockets, (uint32_t)i, i);
	close_all(sockets.fd, SOCKETS);
}

static void the_last_one_takes_the_place_of_a_closed_one(void **state)
{
	struct sockets sockets = open_sockets();

	(void)state;
	close(sockets.fd[1]);
	sockets.fd[1] = -1;
	expect_at(&sockets, 0, 0);
	expect_at(&sockets, 1, SOCKETS - 1);
	expect_at(&sockets, 2, 2);
	join(&sockets, 1);
	expect_at(&sockets, SOCKETS - 1, 1);
	close_all(sockets.fd, SOCKETS);
}

static void so_it_does_with_one_that_is_shut_down(void **state)
{
	struct sockets sockets = open_sockets();

	(void)state;
	assert_int_equal(shutdown(sockets.fd[0], SHUT_RD), 0);
	close(sockets.fd[0]);
	sockets.fd[0] = -1;
	expect_at(&sockets, 0, SOCKETS - 1);
	expect_at(&sockets, 1, 1);
	close_all(sockets.fd, SOCKETS);
}

/*
 * Show the fault that the engine must never cause: with such an index the kernel's own hash chooses
 * the socket.
 */
static void an_index_out_of_range_scatters(void **state)
{
	struct sockets sockets = open_sockets();
	uint32_t seen = 0;
	int i;

	(void)state;
	attach_index(sockets.fd[0], SOCKETS);
	for (i = 0; i < 4 * CLIENTS; i++)
		seen |= 1u << connect_once(&sockets, (uint32_t)i);
	assert_int_equal(seen, (1u << SOCKETS) - 1);
	close_all(sockets.fd, SOCKETS);
}

static void a_locked_socket_can_not_attach(void **state)
{
	struct sockets sockets = open_sockets();
	static struct classic_program program;
	int yes = 1;

	(void)state;
	program.length = 1;
	program.code[0] = (struct sock_filter){.code = BPF_RET | BPF_K};
	assert_int_equal(setsockopt(sockets.fd[2], SOL_SOCKET, SO_LOCK_FILTER, &yes, sizeof(yes)),
			 0);
	assert_int_equal(classic_attach(sockets.fd[2], &program), -EPERM);
	assert_int_equal(classic_attach(sockets.fd[1], &program), 0);
	close_all(sockets.fd, SOCKETS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_index_is_the_order_of_joining),
		cmocka_unit_test(the_last_one_takes_the_place_of_a_closed_one),
		cmocka_unit_test(so_it_does_with_one_that_is_shut_down),
		cmocka_unit_test(an_index_out_of_range_scatters),
		cmocka_unit_test(a_locked_socket_can_not_attach),
	};
	const char *reason = netns_enter_without_bpf();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
