// SPDX-License-Identifier: MIT
/*
 * A group of the user engine: it needs no privilege, has only dispatchers, and uses the same table
 * as the other engines.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/caps.h"
#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "sticky.h"

#define SLOTS	    4
#define DISPATCHERS 3
#define MANY	    150

static struct sticky_group *open_group(void)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_group *group;

	options.engine = STICKY_ENGINE_USER;
	assert_int_equal(sticky_group_open(&options, &group), 0);
	return group;
}

static struct sticky_group *start_group(const char *address)
{
	struct sticky_group *group = open_group();

	assert_int_equal(sticky_group_listen(group, address), 0);
	return group;
}

static void address_text(struct sticky_group *group, char *ret_text)
{
	assert_int_equal(
		sticky_group_listener_address(group, 0, STICKY_ADDRESS_TEXT_SIZE, ret_text), 0);
}

/* Returns the dispatcher at which a client arrives, or -errno. */
static int land(const struct sticky_dispatchers *dispatchers, uint32_t listener,
		const struct sockaddr_storage *source, const struct sockaddr_storage *server)
{
	struct pollfd fds[DISPATCHERS];
	int client = client_connect(source, server), i, fd;

	if (client < 0)
		return client;
	for (i = 0; i < DISPATCHERS; i++)
		fds[i] = (struct pollfd){
			.fd = sticky_dispatchers_fd(dispatchers, (uint32_t)i, listener),
			.events = POLLIN};
	assert_true(poll(fds, DISPATCHERS, WAIT_DEADLINE_MS) == 1);
	for (i = 0; !fds[i].revents; i++)
		;
	fd = client_accept(fds[i].fd);
	assert_true(is_peer(fd, client));
	close(fd);
	close(client);
	return i;
}

/* ---- Opening ------------------------------------------------------------------------------ */

/*
 * Use all calls of a group, in a child process without privilege. Returns 0, or the line that
 * failed.
 */
static int use_a_group_without_privilege(void)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_dispatchers *dispatchers;
	struct sticky_worker *worker;
	struct sticky_group *group;
	int capability;

	for (capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (caps_has(capability) && caps_set(capability, false))
			return 1;
	if (sticky_group_open(&options, &group) !=
	    (netns_has_kernel_engine() ? -EPERM : -EOPNOTSUPP))
		return 2;
	options.engine = STICKY_ENGINE_USER;
	if (sticky_group_open(&options, &group) || sticky_group_listen(group, "127.0.0.1:0"))
		return 3;
	if (sticky_dispatchers_open(group, DISPATCHERS, &dispatchers))
		return 4;
	if (sticky_worker_open(group, 0, &worker) || sticky_worker_ready(worker) ||
	    sticky_group_set_slots(group, 2 * SLOTS) < 0 || sticky_worker_close(worker))
		return 5;
	sticky_dispatchers_close(dispatchers);
	sticky_group_close(group);
	return 0;
}

static void no_privilege_is_needed(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(use_a_group_without_privilege());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void there_are_no_more_engines(void **state)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_group *group;

	(void)state;
	options.engine = STICKY_ENGINE_COUNT;
	assert_int_equal(sticky_group_open(&options, &group), -EINVAL);
	options.engine = UINT32_MAX;
	assert_int_equal(sticky_group_open(&options, &group), -EINVAL);
	options.engine = STICKY_ENGINE_USER;
	options.slots = 0;
	assert_int_equal(sticky_group_open(&options, &group), -EINVAL);
}

static void a_free_port_is_learnt(void **state)
{
	struct sticky_group *group = start_group("127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	struct sticky_dispatchers *dispatchers;

	(void)state;
	assert_true(group_port(group, 0) != 0);
	/* The address is bound, and no socket listens yet. */
	assert_int_equal(client_connect(NULL, &server), -ECONNREFUSED);
	assert_int_equal(sticky_dispatchers_open(group, DISPATCHERS, &dispatchers), 0);
	assert_in_range(land(dispatchers, 0, NULL, &server), 0, DISPATCHERS - 1);
	sticky_dispatchers_close(dispatchers);
	assert_int_equal(client_connect(NULL, &server), -ECONNREFUSED);
	sticky_group_close(group);
}

static void an_address_has_one_group(void **state)
{
	struct sticky_group *group = start_group("127.0.0.1:0"), *second = open_group();
	struct sticky_dispatchers *dispatchers;
	char address[STICKY_ADDRESS_TEXT_SIZE];

	(void)state;
	address_text(group, address);
	assert_int_equal(sticky_dispatchers_open(group, DISPATCHERS, &dispatchers), 0);
	assert_int_equal(sticky_group_listen(second, address), -EADDRINUSE);
	sticky_group_close(second);
	if (netns_has_kernel_engine()) {
		second = group_start(SLOTS, "127.0.0.1:0");
		assert_int_equal(sticky_group_listen(second, address), -EADDRINUSE);
		sticky_group_close(second);
	}
	sticky_dispatchers_close(dispatchers);
	sticky_group_close(group);
	/* The address is free at once after the close. */
	group = start_group(address);
	sticky_group_close(group);
}

/* Both groups may be bound before one of them listens. The other group must get an error then. */
static void an_address_has_one_group_that_listens(void **state)
{
	struct sticky_group *group = start_group("127.0.0.1:0"), *second = open_group();
	struct sticky_dispatchers *dispatchers, *others;
	char address[STICKY_ADDRESS_TEXT_SIZE];
	int error;

	(void)state;
	address_text(group, address);
	error = sticky_group_listen(second, address);
	assert_int_equal(sticky_dispatchers_open(group, DISPATCHERS, &dispatchers), 0);
	if (!error)
		error = sticky_dispatchers_open(second, DISPATCHERS, &others);
	assert_int_equal(error, -EADDRINUSE);
	sticky_group_close(second);
	sticky_dispatchers_close(dispatchers);
	/* The dispatchers can be opened again after they were closed. */
	assert_int_equal(sticky_dispatchers_open(group, DISPATCHERS, &dispatchers), 0);
	sticky_dispatchers_close(dispatchers);
	sticky_group_close(group);
}

static void what_there_is_not_is_said(void **state)
{
	struct sticky_group *group = open_group();
	struct sticky_prefix prefix = {.bits = 128};
	struct sticky_dispatchers *dispatchers;

	(void)state;
	assert_int_equal(sticky_group_pin(group, "/tmp"), -EOPNOTSUPP);
	assert_int_equal(sticky_dispatchers_open(group, 1, &dispatchers), -EDESTADDRREQ);
	/* The list of proxies has no effect here, but the arguments are checked. */
	assert_int_equal(sticky_group_set_proxies(group, &prefix, 1, false), 0);
	prefix.bits = 129;
	assert_int_equal(sticky_group_set_proxies(group, &prefix, 1, false), -EINVAL);
	assert_int_equal(sticky_group_set_sample(group, 4), 0);
	assert_int_equal(sticky_group_set_sample(group, 3), -EINVAL);
	sticky_group_close(group);
}

static void nothing_is_left_behind(void **state)
{
	uint32_t before = descriptors_count(), more;
	struct sticky_group *group = open_group();
	struct sticky_dispatchers *dispatchers;
	int result = -1;

	(void)state;
	assert_int_equal(descriptors_count(), before);
	descriptors_limit(0);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), -EMFILE);
	descriptors_unlimit();
	assert_int_equal(descriptors_count(), before);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 0);
	for (more = 0; result; more++) {
		descriptors_limit(more);
		result = sticky_dispatchers_open(group, DISPATCHERS, &dispatchers);
		descriptors_unlimit();
		assert_true(result == 0 || result == -EMFILE);
		assert_int_equal(descriptors_count(), before + 1 + (result ? 0 : DISPATCHERS));
	}
	sticky_dispatchers_close(dispatchers);
	sticky_group_close(group);
	assert_int_equal(descriptors_count(), before);
}

/* ---- Serving -------------------------------------------------------------------------------- */

static void all_connections_come_to_the_dispatchers(void **state)
{
	struct sticky_group *group = start_group(group_lacks_v6() ? "127.0.0.1:0" : ":0");
	uint32_t counts[DISPATCHERS] = {0}, i;
	struct sticky_dispatchers *dispatchers;
	struct sticky_counters counters;

	(void)state;
	assert_int_equal(sticky_group_listen(group, "127.0.0.2:0"), 1);
	assert_int_equal(sticky_dispatchers_open(group, DISPATCHERS, &dispatchers), 0);
	for (i = 0; i < MANY; i++) {
		sa_family_t family = i % 2 || group_lacks_v6() ? AF_INET : AF_INET6;
		struct sockaddr_storage server = group_server(group, 0, family);
		struct sockaddr_storage source = client_address(family, i);
		struct sockaddr_storage second = address_of("127.0.0.2", group_port(group, 1));
		int place = land(dispatchers, 0, &source, &server);

		assert_in_range(place, 0, DISPATCHERS - 1);
		counts[place]++;
		assert_in_range(land(dispatchers, 1, NULL, &second), 0, DISPATCHERS - 1);
	}
	for (i = 0; i < DISPATCHERS; i++)
		assert_true(counts[i] > 0);
	counters = group_counters(group);
	assert_int_equal(counters.steered + counters.dispatched + counters.dropped, 0);
	sticky_dispatchers_close(dispatchers);
	sticky_group_close(group);
}

static void slots_have_no_sockets(void **state)
{
	struct sticky_group *group = start_group("127.0.0.1:0");
	uint32_t before = descriptors_count();
	struct sticky_worker *worker = worker_start(group, 1), *next;
	struct sticky_slot_info info;

	(void)state;
	assert_int_equal(sticky_worker_fd(worker, 0), -EINVAL);
	assert_int_equal(sticky_worker_queue(worker), 0);
	assert_int_equal(sticky_slot_holding_fd(group, 0, 0), -EINVAL);
	assert_int_equal(sticky_group_listener_count(group), 1);
	info = group_slot_info(group, 1);
	assert_int_equal(info.generation, 1);
	assert_false(info.holding);
	assert_int_equal(info.queue + info.overflows + info.steered, 0);
	assert_int_equal(info.buckets, STICKY_BUCKET_COUNT / SLOTS);
	assert_true(group_slot_info(group, 0).holding);

	/*
	 * Another address is added while a worker is open. Only dispatchers get connections of it,
	 * and so the worker gets no socket for it.
	 */
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 1);
	assert_int_equal(sticky_group_listener_count(group), 2);
	before = descriptors_count();
	next = worker_start(group, 1);
	assert_int_equal(sticky_worker_generation(next), 2);
	sticky_slot_wake(group, 1);
	assert_int_equal(sticky_worker_close(worker), 0);
	assert_int_equal(sticky_worker_close(next), 0);
	assert_true(group_slot_info(group, 1).holding);
	assert_int_equal(descriptors_count(), before);
	sticky_group_close(group);
}

/* The table is the same as that of a group that uses the kernel engine. */
static void where_is_what_the_kernel_would_say(void **state)
{
	struct sticky_group *user, *kernel;
	uint32_t i;

	(void)state;
	if (!netns_has_kernel_engine())
		skip();
	user = open_group();
	kernel = group_start(SLOTS, "127.0.0.1:0");
	for (i = 0; i < 500; i++) {
		struct sockaddr_storage client = client_address(i % 2 ? AF_INET : AF_INET6, i);

		assert_int_equal(group_slot_of(user, &client), group_slot_of(kernel, &client));
	}
	assert_int_equal(sticky_group_seed_id(user), sticky_group_seed_id(kernel));
	sticky_group_close(kernel);
	sticky_group_close(user);
}

/* Returns how many of some clients have another slot than before. */
static uint32_t learn_slots(struct sticky_group *group, uint32_t *slots)
{
	uint32_t i, moved = 0;

	for (i = 0; i < MANY; i++) {
		struct sockaddr_storage client = client_address(AF_INET, i);
		uint32_t slot = group_slot_of(group, &client);

		moved += slots[i] != slot;
		slots[i] = slot;
	}
	return moved;
}

static void check_nobody_in(const uint32_t *slots, uint32_t slot, bool nobody)
{
	uint32_t i, count = 0;

	for (i = 0; i < MANY; i++)
		count += slots[i] == slot;
	assert_int_equal(count == 0, nobody);
}

static void the_table_changes(void **state)
{
	struct sticky_group *group = start_group("127.0.0.1:0");
	uint32_t slots[MANY] = {0};

	(void)state;
	learn_slots(group, slots);
	assert_int_equal(sticky_group_set_slots(group, SLOTS + 1), STICKY_BUCKET_COUNT / 5);
	assert_true(learn_slots(group, slots) > 0);
	check_nobody_in(slots, SLOTS, false);
	assert_int_equal(sticky_group_set_slots(group, SLOTS), STICKY_BUCKET_COUNT / 5);
	assert_true(learn_slots(group, slots) > 0);
	check_nobody_in(slots, SLOTS, true);

	assert_int_equal(sticky_slot_set_away(group, 2, true), 0);
	assert_int_equal(learn_slots(group, slots), 0); /* no change before it is applied */
	assert_int_equal(sticky_group_apply(group), STICKY_BUCKET_COUNT / SLOTS);
	assert_true(learn_slots(group, slots) > 0);
	check_nobody_in(slots, 2, true);
	assert_int_equal(sticky_slot_set_away(group, 2, false), 0);
	assert_int_equal(sticky_group_apply(group), STICKY_BUCKET_COUNT / SLOTS);
	learn_slots(group, slots);
	check_nobody_in(slots, 2, false);
	assert_int_equal(sticky_group_apply(group), 0);
	sticky_group_close(group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_privilege_is_needed),
		cmocka_unit_test(there_are_no_more_engines),
		cmocka_unit_test(a_free_port_is_learnt),
		cmocka_unit_test(an_address_has_one_group),
		cmocka_unit_test(an_address_has_one_group_that_listens),
		cmocka_unit_test(what_there_is_not_is_said),
		cmocka_unit_test(nothing_is_left_behind),
		cmocka_unit_test(all_connections_come_to_the_dispatchers),
		cmocka_unit_test(slots_have_no_sockets),
		cmocka_unit_test(where_is_what_the_kernel_would_say),
		cmocka_unit_test(the_table_changes),
	};
	const char *reason = netns_enter_without_bpf();

	if (reason)
		return netns_skip(reason);
	descriptors_unlimit();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
