// SPDX-License-Identifier: MIT
/*
 * What the library says to a host that calls it wrongly, and that nothing is left behind. The debug
 * build of the shared library aborts when a worker is used after its close, or a group is closed
 * before what it has opened.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "sticky.h"

#define SLOTS  4
#define QUEUED 20

/* ---- Arguments ------------------------------------------------------------------------------ */

static void a_slot_that_does_not_exist_is_refused(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	uint32_t before = descriptors_count();
	struct sticky_worker *worker;

	(void)state;
	assert_int_equal(sticky_worker_open(group, SLOTS, &worker), -EINVAL);
	assert_int_equal(sticky_worker_open(group, UINT32_MAX, &worker), -EINVAL);
	assert_int_equal(sticky_slot_set_away(group, SLOTS, true), -EINVAL);
	assert_int_equal(sticky_slot_holding_fd(group, SLOTS, 0), -EINVAL);
	assert_int_equal(sticky_slot_adopt(group, STICKY_SLOTS_LIMIT, 1), -EINVAL);
	assert_int_equal(sticky_group_set_slots(group, 0), -EINVAL);
	assert_int_equal(sticky_group_set_slots(group, STICKY_SLOTS_LIMIT + 1), -EINVAL);
	sticky_slot_wake(group, SLOTS);
	assert_int_equal(descriptors_count(), before);
	sticky_group_close(group);
}

static void a_worker_whose_socket_does_not_listen_is_not_ready(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	uint32_t before = descriptors_count();
	struct sticky_worker *worker;

	(void)state;
	assert_int_equal(sticky_worker_open(group, 0, &worker), 0);
	assert_int_equal(shutdown(sticky_worker_fd(worker, 0), SHUT_RD), 0);
	assert_int_equal(sticky_worker_ready(worker), -EINVAL);
	assert_true(group_slot_info(group, 0).holding);
	assert_int_equal(sticky_worker_close(worker), 0);
	assert_int_equal(descriptors_count(), before);
	sticky_group_close(group);
}

static int open_socket(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

/* A socket that is bound to the address of a listener, and does not listen. */
static int bind_beside(struct sticky_group *group, uint32_t listener)
{
	struct sockaddr_storage server = group_server(group, listener, AF_INET);
	int fd = open_socket(AF_INET, SOCK_STREAM), yes = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes)), 0);
	assert_int_equal(bind(fd, (void *)&server, address_length(&server)), 0);
	return fd;
}

static void sockets_that_cannot_be_of_a_worker_are_refused(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *worker = worker_start(group, 0), *untouched = worker, *again = worker;
	int v4 = open_socket(AF_INET, SOCK_STREAM), local = open_socket(AF_UNIX, SOCK_STREAM);
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC), closed = 1 << 20;
	int own = sticky_worker_fd(worker, 0), silent = bind_beside(group, 0);
	uint32_t before = descriptors_count();

	(void)state;
	assert_int_equal(sticky_worker_adopt(group, 0, 7, &local, &again), -EAFNOSUPPORT);
	assert_int_equal(sticky_worker_adopt(group, 0, 7, &file, &again), -ENOTSOCK);
	assert_int_equal(sticky_worker_adopt(group, 0, 7, &closed, &again), -EINVAL);
	assert_int_equal(sticky_worker_adopt(group, 0, 7, &own, &again), -EBUSY);
	assert_int_equal(sticky_worker_adopt(group, STICKY_SLOTS_LIMIT, 7, &own, &again), -EINVAL);
	assert_int_equal(sticky_group_adopt_listener(group, v4), -EINVAL); /* it does not listen */
	assert_int_equal(sticky_group_adopt_listener(group, -1), -EBADF);
	assert_ptr_equal(again, untouched);
	assert_int_equal(descriptors_count(), before);

	/* The socket is one that the program never saw, and it does not listen. */
	assert_int_equal(sticky_worker_adopt(group, 1, 7, &silent, &again), 0);
	assert_int_equal(sticky_worker_ready(again), -EINVAL);
	assert_int_equal(sticky_worker_close(again), 0);
	assert_int_equal(descriptors_count(), before);
	assert_int_equal(sticky_worker_close(worker), 0);
	close(silent);
	close(v4);
	close(local);
	close(file);
	sticky_group_close(group);
}

/* Clients of the slot would go to a socket from which the worker does not accept. */
static void a_worker_has_sockets_of_the_listeners_addresses(void **state)
{
	static const char *const others[] = {"127.0.0.1", "127.0.0.2", "0.0.0.0"};
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	int unbound = open_socket(AF_INET, SOCK_STREAM), fds[2];
	struct sticky_worker *worker, *untouched = NULL;
	size_t i;

	(void)state;
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 1);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		/* Another port of the same address, then the same port of other addresses. */
		struct sockaddr_storage other = address_of(others[i], i ? group_port(group, 0) : 0);

		fds[0] = plain_listen(&other, SO_REUSEPORT);
		fds[1] = -1;
		assert_true(fds[0] >= 0);
		assert_int_equal(sticky_worker_adopt(group, 1, 7, fds, &untouched), -EADDRNOTAVAIL);
		close(fds[0]);
	}
	assert_int_equal(sticky_worker_adopt(group, 1, 7, (int[]){unbound, -1}, &untouched),
			 -EADDRNOTAVAIL);
	worker = worker_start(group, 0);
	/* Those of the two listeners in the wrong order. */
	fds[0] = sticky_worker_fd(worker, 1);
	fds[1] = sticky_worker_fd(worker, 0);
	assert_int_equal(sticky_worker_adopt(group, 1, 7, fds, &untouched), -EADDRNOTAVAIL);
	assert_null(untouched);
	assert_int_equal(sticky_worker_close(worker), 0);
	close(unbound);
	sticky_group_close(group);
}

/* The listener that was not imported must not count as one with sockets. */
static void a_failing_import_of_a_listener_changes_nothing(void **state)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_dispatchers *dispatchers;
	struct sticky_group *group;

	(void)state;
	options.engine = STICKY_ENGINE_USER;
	assert_int_equal(sticky_group_open(&options, &group), 0);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 0);
	assert_int_equal(sticky_group_adopt_listener(group, -1), -EBADF);
	assert_int_equal(sticky_group_adopt_listener(group, STDIN_FILENO), -ENOTSOCK);
	assert_true(sticky_group_set_slots(group, SLOTS + 1) > 0);
	assert_int_equal(sticky_dispatchers_open(group, 1, &dispatchers), 0);
	sticky_dispatchers_close(dispatchers);
	sticky_group_close(group);
}

/* No client comes to a slot that was removed. Its worker is not treated as a broken one. */
static void a_worker_of_a_removed_slot_may_become_ready(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *worker;

	(void)state;
	assert_int_equal(sticky_worker_open(group, SLOTS - 1, &worker), 0);
	assert_true(sticky_group_set_slots(group, SLOTS - 1) > 0);
	assert_int_equal(sticky_worker_ready(worker), 0);
	assert_true(sticky_group_set_slots(group, SLOTS) > 0);
	assert_true(group_slot_info(group, SLOTS - 1).holding);
	assert_int_equal(sticky_worker_ready(worker), 0);
	assert_false(group_slot_info(group, SLOTS - 1).holding);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

static void the_same_twice_is_harmless_or_refused(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *worker = worker_start(group, 0);
	struct sticky_dispatchers *dispatchers, *more;
	char address[STICKY_ADDRESS_TEXT_SIZE];

	(void)state;
	assert_int_equal(sticky_worker_ready(worker), 0);
	assert_int_equal(sticky_worker_serve(worker, 0, true), 0);
	assert_int_equal(sticky_group_listener_address(group, 0, sizeof(address), address), 0);
	assert_int_equal(sticky_group_listen(group, address), -EADDRINUSE);
	assert_int_equal(sticky_worker_leave(worker), 0);
	assert_int_equal(sticky_worker_leave(worker), 0);
	assert_int_equal(sticky_dispatchers_open(group, 1, &dispatchers), 0);
	assert_int_equal(sticky_dispatchers_open(group, 1, &more), -EBUSY);
	sticky_dispatchers_close(dispatchers);
	assert_int_equal(sticky_group_refuse(group), 0);
	assert_int_equal(sticky_group_refuse(group), 0);
	assert_int_equal(sticky_worker_ready(worker), -ESHUTDOWN);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

/* ---- Ends ----------------------------------------------------------------------------------- */

static void a_close_with_queued_connections_leaves_nothing(void **state)
{
	uint32_t before = descriptors_count(), i, number;
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	struct sticky_worker *worker = worker_start(group, 2);
	int clients[QUEUED];

	(void)state;
	for (i = 0; i < QUEUED; i++) {
		struct sockaddr_storage client = client_address(AF_INET, i);

		clients[i] = client_connect(&client, &server);
		assert_true(clients[i] >= 0);
	}
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
	for (i = 0; i < QUEUED; i++)
		assert_int_equal(number_receive(clients[i], &number), -ECONNRESET);
	close_all(clients, QUEUED);
	assert_int_equal(descriptors_count(), before);
}

static void without_descriptors_a_slot_keeps_its_worker(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *worker = worker_start(group, 0), *another;
	uint32_t before = descriptors_count();

	(void)state;
	descriptors_limit(0);
	assert_int_equal(sticky_worker_open(group, 0, &another), -EMFILE);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), -EMFILE);
	assert_int_equal(sticky_group_set_slots(group, SLOTS + 1), -EMFILE);
	descriptors_unlimit();
	assert_int_equal(sticky_group_slots(group), SLOTS);
	assert_int_equal(descriptors_count(), before);
	assert_false(group_slot_info(group, 0).holding);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

/* ---- A forked child -------------------------------------------------------------------------- */

/* Try to change the group of the parent. Returns the line of the first result that is not right. */
static int meddle(struct sticky_group *group, struct sticky_worker *worker)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_worker *another;
	struct sticky_group *own;

	if (sticky_worker_open(group, 1, &another) != -ECHILD)
		return __LINE__;
	if (sticky_worker_ready(worker) != -ECHILD || sticky_worker_leave(worker) != -ECHILD)
		return __LINE__;
	if (sticky_group_listen(group, "127.0.0.1:0") != -ECHILD)
		return __LINE__;
	if (sticky_group_set_slots(group, 2) != -ECHILD || sticky_group_refuse(group) != -ECHILD)
		return __LINE__;
	if (sticky_slot_set_away(group, 0, true) != -ECHILD || sticky_group_apply(group) != -ECHILD)
		return __LINE__;
	if (sticky_worker_fd(worker, 0) < 0 || sticky_group_slots(group) != SLOTS)
		return __LINE__;
	if (sticky_group_open(&options, &own))
		return __LINE__;
	sticky_group_close(own);
	if (sticky_worker_close(worker))
		return __LINE__;
	sticky_group_close(group);
	return 0;
}

static int wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void a_child_does_not_change_the_group_of_its_parent(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET), client;
	struct sticky_worker *worker = worker_start(group, 0);
	int status, fd, accepted;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(meddle(group, worker) ? 1 : 0);
	status = wait_for(pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);

	/* The worker still has its slot. */
	assert_false(group_slot_info(group, 0).holding);
	client = client_address(AF_INET, group_client_of_slot(group, AF_INET, 0, 0));
	fd = client_connect(&client, &server);
	assert_int_equal(wait_readable(sticky_worker_fd(worker, 0)), 0);
	accepted = client_accept(sticky_worker_fd(worker, 0));
	assert_true(is_peer(accepted, fd));
	close(accepted);
	close(fd);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

/* ---- Use after close, with the debug build ----------------------------------------------------
 */

struct debug_library {
	void *handle;
	int (*open)(const struct sticky_group_options *options, struct sticky_group **ret_group);
	int (*listen)(struct sticky_group *group, const char *address);
	int (*worker_open)(struct sticky_group *group, uint32_t slot,
			   struct sticky_worker **ret_worker);
	int (*worker_ready)(struct sticky_worker *worker);
	int (*worker_close)(struct sticky_worker *worker);
	int (*dispatchers_open)(struct sticky_group *group, uint32_t count,
				struct sticky_dispatchers **ret_dispatchers);
	void (*close)(struct sticky_group *group);
};

static void find(const struct debug_library *library, const char *name, void *ret_function)
{
	void *address = dlsym(library->handle, name);

	assert_non_null(address);
	memcpy(ret_function, &address, sizeof(address)); /* as dlsym(3) recommends */
}

static void load(struct debug_library *library)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/debug/libsticky.so.0",
		 getenv("BUILD") ? getenv("BUILD") : ".");
	library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library->handle)
		fail_msg("%s", dlerror());
	find(library, "sticky_group_open", &library->open);
	find(library, "sticky_group_listen", &library->listen);
	find(library, "sticky_worker_open", &library->worker_open);
	find(library, "sticky_worker_ready", &library->worker_ready);
	find(library, "sticky_worker_close", &library->worker_close);
	find(library, "sticky_dispatchers_open", &library->dispatchers_open);
	find(library, "sticky_group_close", &library->close);
}

/* What a host does with an open group and a worker in its slot 3, and what is said then. */
struct misuse {
	int (*run)(const struct debug_library *library, struct sticky_group *group,
		   struct sticky_worker *worker);
	const char *text; /* "": it is right, and nothing is said */
};

static int close_in_order(const struct debug_library *library, struct sticky_group *group,
			  struct sticky_worker *worker)
{
	int error = library->worker_close(worker);

	library->close(group);
	return error;
}

static int use_a_closed_worker(const struct debug_library *library, struct sticky_group *group,
			       struct sticky_worker *worker)
{
	int error = library->worker_close(worker);

	library->worker_ready(worker);
	library->close(group);
	return error;
}

static int use_a_worker_of_a_closed_group(const struct debug_library *library,
					  struct sticky_group *group, struct sticky_worker *worker)
{
	int error = close_in_order(library, group, worker);

	return error ? error : library->worker_ready(worker);
}

static int close_the_group_first(const struct debug_library *library, struct sticky_group *group,
				 struct sticky_worker *worker)
{
	library->close(group);
	return library->worker_close(worker);
}

static int forget_the_dispatchers(const struct debug_library *library, struct sticky_group *group,
				  struct sticky_worker *worker)
{
	struct sticky_dispatchers *dispatchers;
	int error = library->listen(group, "127.0.0.1:0");

	if (error >= 0)
		error = library->dispatchers_open(group, 1, &dispatchers);
	return error < 0 ? error : close_in_order(library, group, worker);
}

/* In a child. */
static void run_misuse(const struct debug_library *library, const struct misuse *misuse, int log)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_worker *worker;
	struct sticky_group *group;

	dup2(log, STDERR_FILENO);
	if (library->open(&options, &group) || library->worker_open(group, 3, &worker) ||
	    library->worker_ready(worker))
		_exit(1);
	_exit(misuse->run(library, group, worker) ? 1 : 0);
}

static int run_debug(const struct debug_library *library, const struct misuse *misuse, size_t size,
		     char *text)
{
	int ends[2], status;
	ssize_t length;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run_misuse(library, misuse, ends[1]);
	close(ends[1]);
	status = wait_for(pid);
	length = read(ends[0], text, size - 1);
	text[length > 0 ? length : 0] = '\0';
	close(ends[0]);
	return status;
}

static void the_debug_build_aborts_on_misuse(void **state)
{
	static const char closed[] = "libsticky: sticky_worker_ready() was called with a worker of "
				     "the slot 3 that has been closed\n";
	static const struct misuse misuses[] = {
		{close_in_order, ""},
		{use_a_closed_worker, closed},
		{use_a_worker_of_a_closed_group, closed},
		{close_the_group_first, "libsticky: sticky_group_close() was called while a worker "
					"of the slot 3 is open\n"},
		{forget_the_dispatchers,
		 "libsticky: sticky_group_close() was called while dispatchers are open\n"},
	};
	struct debug_library library;
	char text[512];
	size_t i;

	(void)state;
	load(&library);
	for (i = 0; i < sizeof(misuses) / sizeof(misuses[0]); i++) {
		int status = run_debug(&library, &misuses[i], sizeof(text), text);

		assert_string_equal(text, misuses[i].text);
		if (misuses[i].text[0])
			assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		else
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	dlclose(library.handle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slot_that_does_not_exist_is_refused),
		cmocka_unit_test(a_worker_whose_socket_does_not_listen_is_not_ready),
		cmocka_unit_test(sockets_that_cannot_be_of_a_worker_are_refused),
		cmocka_unit_test(a_worker_has_sockets_of_the_listeners_addresses),
		cmocka_unit_test(a_failing_import_of_a_listener_changes_nothing),
		cmocka_unit_test(a_worker_of_a_removed_slot_may_become_ready),
		cmocka_unit_test(the_same_twice_is_harmless_or_refused),
		cmocka_unit_test(a_close_with_queued_connections_leaves_nothing),
		cmocka_unit_test(without_descriptors_a_slot_keeps_its_worker),
		cmocka_unit_test(a_child_does_not_change_the_group_of_its_parent),
		cmocka_unit_test(the_debug_build_aborts_on_misuse),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
