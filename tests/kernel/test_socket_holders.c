// SPDX-License-Identifier: MIT
/* Listening sockets, the processes that have them open, and duplicates of their descriptors. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procfs/sockdiag.h"
#include "procfs/socket_holders.h"
#include "../support/clients.h"
#include "../support/netns.h"

#define NOBODY 65534

struct scene {
	uint16_t port;
	int listening;
	uint64_t cookie;
	uint32_t inode;
};

static void set_scene(struct scene *scene, const char *address)
{
	struct sockaddr_storage server = address_of(address, 0);
	socklen_t length = sizeof(scene->cookie);
	struct stat status;

	scene->listening = plain_listen(&server, 0);
	assert_true(scene->listening >= 0);
	scene->port = ntohs(((struct sockaddr_in *)&server)->sin_port);
	assert_int_equal(
		getsockopt(scene->listening, SOL_SOCKET, SO_COOKIE, &scene->cookie, &length), 0);
	assert_int_equal(fstat(scene->listening, &status), 0);
	scene->inode = (uint32_t)status.st_ino;
}

/* ---- Listeners ---------------------------------------------------------------------- */

struct found {
	struct sockdiag_listener last;
	int count;
};

static void keep(void *context, const struct sockdiag_listener *listener)
{
	struct found *found = context;

	found->last = *listener;
	found->count++;
}

static int list(const uint16_t *ports, size_t count, struct found *ret_found)
{
	*ret_found = (struct found){0};
	assert_int_equal(sockdiag_listeners(ports, count, keep, ret_found), 0);
	return ret_found->count;
}

static void check_listed(const char *address)
{
	struct sockaddr_storage server;
	socklen_t length = sizeof(server);
	struct found found;
	struct scene scene;
	int client;

	set_scene(&scene, address);
	assert_int_equal(getsockname(scene.listening, (void *)&server, &length), 0);
	/* A connection at the same port is not listed. */
	client = client_connect(NULL, &server);
	assert_true(client >= 0);
	assert_int_equal(list(&scene.port, 1, &found), 1);
	assert_true(found.last.cookie == scene.cookie);
	assert_int_equal(found.last.inode, scene.inode);
	assert_int_equal(found.last.uid, geteuid());
	close_all((int[]){scene.listening, client}, 2);
	assert_int_equal(list(&scene.port, 1, &found), 0);
}

static void listeners_are_listed(void **state)
{
	(void)state;
	check_listed("127.0.0.1");
	check_listed("::1");
}

static void other_ports_do_not_count(void **state)
{
	struct scene here, there;
	struct found found;
	uint16_t ports[3];

	(void)state;
	set_scene(&here, "127.0.0.1");
	set_scene(&there, "::1");
	ports[0] = 1;
	ports[1] = here.port;
	ports[2] = there.port;
	assert_int_equal(list(ports, 1, &found), 0);
	assert_int_equal(list(ports, 2, &found), 1);
	assert_int_equal(list(ports, 3, &found), 2);
	close_all((int[]){here.listening, there.listening}, 2);
}

/* ---- Holders ------------------------------------------------------------------------ */

struct search {
	uint32_t inode;
	pid_t pid;
	int number;
	int count;
};

static bool look_for(void *context, pid_t pid, int number, uint32_t inode)
{
	struct search *search = context;

	if (inode == search->inode && pid == search->pid) {
		search->number = number;
		search->count++;
	}
	return true;
}

/* Fork a child that keeps the scene's socket open. This process closes it. */
static pid_t give_to_child(struct scene *scene)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	close(scene->listening);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void a_holder_is_found_and_its_socket_shut_down(void **state)
{
	struct search search;
	struct found found;
	struct scene scene;
	int fd;

	(void)state;
	set_scene(&scene, "127.0.0.1");
	search = (struct search){.inode = scene.inode, .pid = give_to_child(&scene)};
	assert_int_equal(socket_holders_walk(look_for, &search), 0);
	assert_int_equal(search.count, 1);
	assert_int_equal(search.number, scene.listening);
	assert_int_equal(socket_holder_fetch(search.pid, search.number, scene.cookie + 1), -ESTALE);
	assert_int_equal(socket_holder_fetch(search.pid, 99, scene.cookie), -EBADF);
	fd = socket_holder_fetch(search.pid, search.number, scene.cookie);
	assert_true(fd >= 0);
	assert_int_equal(list(&scene.port, 1, &found), 1);
	assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
	assert_int_equal(list(&scene.port, 1, &found), 0);
	close(fd);
	end_child(search.pid);
	assert_int_equal(socket_holder_fetch(search.pid, search.number, scene.cookie), -ESRCH);
}

static void is_it_held(void **state)
{
	struct scene scene;
	pid_t child, other;

	(void)state;
	set_scene(&scene, "127.0.0.1");
	other = fork();
	assert_true(other >= 0);
	if (!other) {
		close(scene.listening);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	while (socket_is_held(scene.inode, other)) /* until `other` has closed its duplicate */
		usleep(1000);
	/*
	 * The caller's own descriptor does not count. Any other holder counts, of the given process
	 * group or not.
	 */
	child = give_to_child(&scene);
	assert_int_equal(socket_is_held(scene.inode, child), 1);
	assert_int_equal(socket_is_held(scene.inode, other), 1);
	assert_int_equal(process_has_socket(child, scene.inode), 1);
	assert_int_equal(process_has_socket(other, scene.inode), 0);
	assert_int_equal(process_has_socket(1 << 30, scene.inode), -ENOENT);
	end_child(child);
	assert_int_equal(socket_is_held(scene.inode, other), 0);
	end_child(other);
	assert_int_equal(socket_is_held(scene.inode, other), -ESRCH);
}

static void it_is_held_by_one_that_has_survived_its_leader(void **state)
{
	struct scene scene;
	pid_t child, other;

	(void)state;
	set_scene(&scene, "127.0.0.1");
	other = fork();
	assert_true(other >= 0);
	if (!other)
		_exit(0);
	assert_int_equal(waitpid(other, NULL, 0), other);
	child = give_to_child(&scene);
	assert_int_equal(socket_is_held(scene.inode, other), 1);
	end_child(child);
	assert_int_equal(socket_is_held(scene.inode, other), -ESRCH);
}

/* Run as an ordinary user: the leader is root's. Returns an exit status. */
static int look_as_nobody(struct scene *scene, pid_t leader)
{
	pid_t child;
	bool is_right;

	/* Its descriptors may be read by others of the same user again. */
	if (setresuid(NOBODY, NOBODY, NOBODY) || prctl(PR_SET_DUMPABLE, 1))
		return 1;
	is_right = process_has_socket(leader, scene->inode) == -EACCES;
	child = give_to_child(scene);
	is_right &= socket_is_held(scene->inode, leader) == 1;
	end_child(child);
	is_right &= socket_is_held(scene->inode, leader) == -EACCES;
	return !is_right;
}

static void it_is_held_though_the_leader_may_not_be_read(void **state)
{
	struct scene scene;
	pid_t looks;
	int status;

	(void)state;
	set_scene(&scene, "127.0.0.1");
	looks = fork();
	assert_true(looks >= 0);
	if (!looks)
		_exit(look_as_nobody(&scene, getppid()));
	close(scene.listening);
	assert_int_equal(waitpid(looks, &status, 0), looks);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* ---- Waiting connections -------------------------------------------------------------- */

struct waiters {
	struct sockdiag_waiting last;
	int count;
};

static int keep_waiting(void *context, const struct sockdiag_waiting *waiting)
{
	struct waiters *waiters = context;

	waiters->last = *waiting;
	return ++waiters->count == 3 ? -E2BIG : 0;
}

static int list_waiting(const struct scene *scene, struct waiters *ret_waiters)
{
	*ret_waiters = (struct waiters){0};
	return sockdiag_waiting(&scene->port, 1, keep_waiting, ret_waiters);
}

static void check_waiting(const char *address)
{
	struct sockaddr_storage server, source = {0};
	socklen_t length = sizeof(server);
	struct waiters waiters;
	struct scene scene;
	int clients[3], accepted, i;

	set_scene(&scene, address);
	assert_int_equal(getsockname(scene.listening, (void *)&server, &length), 0);
	assert_int_equal(list_waiting(&scene, &waiters), 0);
	assert_int_equal(waiters.count, 0);
	for (i = 0; i < 3; i++) {
		clients[i] = client_connect(NULL, &server);
		assert_true(clients[i] >= 0);
		assert_int_equal(client_settle(clients[i]), 0);
		assert_int_equal(list_waiting(&scene, &waiters), i == 2 ? -E2BIG : 0);
		assert_int_equal(waiters.count, i + 1);
		if (i)
			continue;
		assert_int_equal(getsockname(clients[0], (void *)&source, &length), 0);
		assert_memory_equal(&waiters.last.peer, &source, length);
		assert_int_equal(waiters.last.port, scene.port);
	}
	accepted = client_accept(scene.listening);
	assert_int_equal(list_waiting(&scene, &waiters), 0);
	assert_int_equal(waiters.count, 2);
	close_all((int[]){scene.listening, clients[0], clients[1], clients[2], accepted}, 5);
}

static void waiting_connections_are_listed(void **state)
{
	(void)state;
	check_waiting("127.0.0.1");
	check_waiting("::1");
}

static bool end_at_once(void *context, pid_t pid, int number, uint32_t inode)
{
	(void)pid;
	(void)number;
	(void)inode;
	++*(int *)context;
	return false;
}

static void a_walk_ends_when_it_is_told(void **state)
{
	struct scene scene;
	int count = 0;

	(void)state;
	set_scene(&scene, "127.0.0.1");
	assert_int_equal(socket_holders_walk(end_at_once, &count), 0);
	assert_int_equal(count, 1);
	close(scene.listening);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listeners_are_listed),
		cmocka_unit_test(other_ports_do_not_count),
		cmocka_unit_test(a_holder_is_found_and_its_socket_shut_down),
		cmocka_unit_test(is_it_held),
		cmocka_unit_test(it_is_held_by_one_that_has_survived_its_leader),
		cmocka_unit_test(it_is_held_though_the_leader_may_not_be_read),
		cmocka_unit_test(waiting_connections_are_listed),
		cmocka_unit_test(a_walk_ends_when_it_is_told),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
