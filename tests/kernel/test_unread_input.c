// SPDX-License-Identifier: MIT
/* Has a process read from its connections? The kernel reports this for each of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procfs/open_connections.h"
#include "procfs/unread_input.h"
#include "../support/clients.h"
#include "../support/netns.h"

/*
 * A connection to a listening socket of the test. Both of its ends belong to the test. Only the
 * accepted end has the listener's port.
 */
struct scene {
	struct sockaddr_storage server;
	uint16_t port;
	int listening, client, accepted;
};

static void set_scene(struct scene *scene, const char *address)
{
	*scene = (struct scene){.server = address_of(address, 0), .client = -1, .accepted = -1};
	scene->listening = plain_listen(&scene->server, 0);
	assert_true(scene->listening >= 0);
	/* The port is at the same place in both families. */
	scene->port = ntohs(((struct sockaddr_in *)&scene->server)->sin_port);
}

static void strike_scene(struct scene *scene)
{
	close_all((int[]){scene->listening, scene->client, scene->accepted}, 3);
}

static void check(const struct scene *scene, enum unread wanted)
{
	assert_int_equal(unread_look(getpid(), &scene->port, 1), wanted);
}

static void connect_client(struct scene *scene)
{
	scene->client = client_connect(NULL, &scene->server);
	assert_true(scene->client >= 0);
}

static void accept_client(struct scene *scene)
{
	scene->accepted = client_accept(scene->listening);
	assert_true(scene->accepted >= 0);
}

static void follow_a_connection(const char *address)
{
	struct scene scene;
	char bytes[8];

	set_scene(&scene, address);
	check(&scene, UNREAD_NONE);
	connect_client(&scene);
	check(&scene, UNREAD_SOME); /* the connection waits to be accepted */
	accept_client(&scene);
	check(&scene, UNREAD_QUIET);
	assert_int_equal(send(scene.client, "abc", 3, 0), 3);
	check(&scene, UNREAD_SOME);
	assert_int_equal(recv(scene.accepted, bytes, 1, 0), 1);
	check(&scene, UNREAD_QUIET); /* the process has read from it, and there is more to read */
	assert_int_equal(recv(scene.accepted, bytes, sizeof(bytes), 0), 2);
	check(&scene, UNREAD_NONE);
	assert_int_equal(send(scene.client, "d", 1, 0), 1);
	check(&scene, UNREAD_QUIET);
	strike_scene(&scene);
}

static void a_connection_from_its_beginning(void **state)
{
	(void)state;
	follow_a_connection("127.0.0.1");
	follow_a_connection("2001:db8::5");
}

/* The end of the stream is no byte, but the kernel counts it as one unread byte. */
static void a_client_that_has_half_closed(void **state)
{
	struct scene scene;
	char bytes[8];

	(void)state;
	set_scene(&scene, "127.0.0.1");
	connect_client(&scene);
	accept_client(&scene);
	assert_int_equal(send(scene.client, "abc", 3, 0), 3);
	assert_int_equal(shutdown(scene.client, SHUT_WR), 0);
	check(&scene, UNREAD_SOME);
	/* This also reads the end of the stream. */
	assert_int_equal(recv(scene.accepted, bytes, sizeof(bytes), 0), 3);
	check(&scene, UNREAD_NONE);
	assert_int_equal(recv(scene.accepted, bytes, sizeof(bytes), 0), 0);
	check(&scene, UNREAD_NONE);
	strike_scene(&scene);
}

static void others_do_not_count(void **state)
{
	struct scene scene;
	const uint16_t other = 1; /* no socket has this port */
	pid_t child = fork();

	(void)state;
	if (!child)
		_exit(pause());
	assert_true(child > 0);
	set_scene(&scene, "127.0.0.1");
	connect_client(&scene);
	assert_int_equal(unread_look(getpid(), &other, 1), UNREAD_NONE);
	assert_int_equal(unread_look(getpid(), &scene.port, 0), UNREAD_NONE);
	/* Another process has none of these sockets. */
	assert_int_equal(unread_look(child, &scene.port, 1), UNREAD_NONE);
	check(&scene, UNREAD_SOME);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(unread_look(child, &scene.port, 1), -ENOENT);
	strike_scene(&scene);
}

static void an_open_connection_is_seen(void **state)
{
	struct scene scene;
	const uint16_t other = 1; /* no socket has this port */

	(void)state;
	set_scene(&scene, "127.0.0.1");
	assert_int_equal(connections_are_open(getpid(), &scene.port, 1), 0);
	connect_client(&scene);
	/* The connection waits to be accepted: it is no descriptor of the process. */
	assert_int_equal(connections_are_open(getpid(), &scene.port, 1), 0);
	accept_client(&scene);
	assert_int_equal(connections_are_open(getpid(), &scene.port, 1), 1);
	assert_int_equal(connections_are_open(getpid(), &other, 1), 0);
	assert_int_equal(connections_are_open(-1, &scene.port, 1), -ENOENT);
	close(scene.accepted);
	scene.accepted = -1;
	assert_int_equal(connections_are_open(getpid(), &scene.port, 1), 0);
	strike_scene(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_from_its_beginning),
		cmocka_unit_test(a_client_that_has_half_closed),
		cmocka_unit_test(others_do_not_count),
		cmocka_unit_test(an_open_connection_is_seen),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
