// SPDX-License-Identifier: MIT
/* The handshakes that have begun and are not complete, as the kernel reports them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "procfs/sockdiag.h"
#include "../support/clients.h"
#include "../support/netns.h"

#define CLIENTS 20
#define LIMIT	1000

/*
 * A listening socket on which a handshake is not complete before the client has sent data
 * (TCP_DEFER_ACCEPT), and clients that have sent none.
 */
struct scene {
	struct sockaddr_storage server;
	uint16_t port;
	int listening;
	int clients[CLIENTS];
};

static void set_scene(struct scene *scene, const char *address)
{
	int seconds = 60;

	*scene = (struct scene){.server = address_of(address, 0)};
	scene->listening = plain_listen(&scene->server, 0);
	assert_true(scene->listening >= 0);
	assert_int_equal(setsockopt(scene->listening, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds,
				    sizeof(seconds)),
			 0);
	/* The port is at the same place in both families. */
	scene->port = ntohs(((struct sockaddr_in *)&scene->server)->sin_port);
}

static void begin_handshakes(struct scene *scene)
{
	int i;

	for (i = 0; i < CLIENTS; i++) {
		scene->clients[i] = client_connect(NULL, &scene->server);
		assert_true(scene->clients[i] >= 0);
	}
}

static void strike_scene(struct scene *scene)
{
	close_all(scene->clients, CLIENTS);
	close_all(&scene->listening, 1);
}

static size_t list(const uint16_t *ports, size_t port_count, uint64_t **ret_cookies)
{
	long count;

	*ret_cookies = NULL;
	count = sockdiag_handshakes(ports, port_count, LIMIT, ret_cookies);
	assert_true(count >= 0);
	return (size_t)count;
}

static int cookie_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static size_t count_at(uint16_t port)
{
	uint64_t *cookies;
	size_t count = list(&port, 1, &cookies);

	free(cookies);
	return count;
}

static void follow(const char *address)
{
	uint64_t *before, *after;
	struct scene scene;
	int accepted[2];
	size_t i;

	set_scene(&scene, address);
	assert_int_equal(count_at(scene.port), 0);
	begin_handshakes(&scene);
	assert_int_equal(list(&scene.port, 1, &before), CLIENTS);
	for (i = 1; i < CLIENTS; i++)
		assert_true(before[i - 1] < before[i]);
	/*
	 * The numbers of handshakes do not change. Handshakes that are complete are not in the
	 * list.
	 */
	for (i = 0; i < 2; i++) {
		assert_int_equal(number_send(scene.clients[i], 1), 0);
		accepted[i] = client_accept(scene.listening);
		assert_true(accepted[i] >= 0);
	}
	assert_int_equal(list(&scene.port, 1, &after), CLIENTS - 2);
	for (i = 0; i < CLIENTS - 2; i++)
		assert_non_null(bsearch(&after[i], before, CLIENTS, sizeof(*before), cookie_order));
	free(before);
	free(after);
	close_all(accepted, 2);
	strike_scene(&scene);
}

static void v4_handshakes_from_their_beginning(void **state)
{
	(void)state;
	follow("127.0.0.1");
}

static void v6_handshakes_from_their_beginning(void **state)
{
	(void)state;
	follow("::1");
}

static void a_connection_is_seen(void **state)
{
	struct scene scene;
	int accepted;

	(void)state;
	set_scene(&scene, "127.0.0.1");
	begin_handshakes(&scene);
	assert_int_equal(sockdiag_is_connected(&scene.port, 1), 0);
	assert_int_equal(number_send(scene.clients[0], 1), 0);
	/* The connection is in the accept queue. After that, it is accepted. */
	assert_int_equal(client_settle(scene.clients[0]), 0);
	assert_int_equal(sockdiag_is_connected(&scene.port, 1), 1);
	accepted = client_accept(scene.listening);
	assert_int_equal(sockdiag_is_connected(&scene.port, 1), 1);
	assert_int_equal(sockdiag_is_connected(&(uint16_t){1}, 1), 0);
	close(accepted);
	strike_scene(&scene);
}

static void other_ports_do_not_count(void **state)
{
	struct scene here, there;
	uint64_t *cookies;
	uint16_t ports[3];

	(void)state;
	set_scene(&here, "127.0.0.1");
	set_scene(&there, "::1");
	begin_handshakes(&here);
	begin_handshakes(&there);
	ports[0] = 1;
	ports[1] = here.port;
	ports[2] = there.port;
	assert_int_equal(list(ports, 1, &cookies), 0);
	assert_null(cookies);
	assert_int_equal(list(ports, 2, &cookies), CLIENTS);
	free(cookies);
	assert_int_equal(list(ports, 3, &cookies), 2 * CLIENTS);
	free(cookies);
	strike_scene(&here);
	strike_scene(&there);
}

static void more_than_the_limit_are_an_error(void **state)
{
	uint64_t *cookies = NULL;
	struct scene scene;

	(void)state;
	set_scene(&scene, "127.0.0.1");
	begin_handshakes(&scene);
	assert_int_equal(sockdiag_handshakes(&scene.port, 1, CLIENTS, &cookies), CLIENTS);
	free(cookies);
	cookies = NULL;
	assert_int_equal(sockdiag_handshakes(&scene.port, 1, CLIENTS - 1, &cookies), -E2BIG);
	assert_null(cookies);
	strike_scene(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v4_handshakes_from_their_beginning),
		cmocka_unit_test(v6_handshakes_from_their_beginning),
		cmocka_unit_test(a_connection_is_seen),
		cmocka_unit_test(other_ports_do_not_count),
		cmocka_unit_test(more_than_the_limit_are_an_error),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
