// SPDX-License-Identifier: MIT
/*
 * What privileges the loading of the program needs (CAP_BPF alone), and later listeners (none). One
 * loaded program serves all listeners of a group, and tells them apart.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/group_internal.h"
#include "../support/caps.h"
#include "../support/clients.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/waiting.h"
#include "sticky.h"

#define SLOTS	     4
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Privileges --------------------------------------------------------------------- */

static uint32_t regions; /* number of regions that the library has begun; it ends each of them */

static unsigned int raise_bpf(void *context)
{
	unsigned int had = caps_has(CAP_BPF);

	assert_ptr_equal(context, &regions);
	regions++;
	assert_int_equal(caps_set(CAP_BPF, true), 0);
	return had;
}

static void restore_bpf(void *context, unsigned int previous)
{
	assert_ptr_equal(context, &regions);
	assert_int_equal(caps_set(CAP_BPF, previous), 0);
}

static struct sticky_group_options options_with_regions(void)
{
	struct sticky_group_options options = group_options(SLOTS);

	options.raise_bpf = raise_bpf;
	options.restore_bpf = restore_bpf;
	options.privilege_context = &regions;
	return options;
}

/* Make no capability effective. The permitted ones stay permitted. */
static void lower_all(void)
{
	int capability;

	for (capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (caps_has(capability))
			assert_int_equal(caps_set(capability, false), 0);
}

static void raise_all(const struct caps_sets *sets)
{
	int capability;

	for (capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (sets->effective >> capability & 1)
			assert_int_equal(caps_set(capability, true), 0);
}

/* Run a job in a process of its own: a capability that has been given up does not come back. */
static int run_child(int (*job)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(job());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int open_with_cap_bpf_alone(void)
{
	struct sticky_group_options options = {.size = sizeof(options), .slots = SLOTS};
	struct sticky_group *group;
	int error;

	if (caps_keep_only(CAP_BPF) || caps_has(CAP_PERFMON) || !caps_has(CAP_BPF))
		return 254;
	error = sticky_group_open(&options, &group);
	if (!error)
		error = sticky_group_wakes(group) < 0;
	return -error;
}

/*
 * Without CAP_PERFMON the verifier is stricter: on Linux 5.15 to 6.16 it refused an earlier form
 * of the program, which this kernel takes either way. make test-kernels runs this test there.
 */
static void it_loads_with_cap_bpf_alone(void **state)
{
	(void)state;
	assert_int_equal(run_child(open_with_cap_bpf_alone), 0);
}

static void use_all_of(struct sticky_group *group)
{
	struct sticky_worker *workers[SLOTS];

	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 0);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 1);
	workers_start(group, workers);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 2);
	group_counters(group);
	group_slot_info(group, 0);
	workers_close(group, workers);
	assert_true(sticky_group_set_slots(group, SLOTS + 1) > 0);
	assert_int_equal(sticky_slot_set_away(group, 0, true), 0);
	assert_true(sticky_group_apply(group) > 0);
	assert_int_equal(sticky_group_refuse(group), 0);
}

static void a_late_listener_needs_no_capability(void **state)
{
	const struct caps_sets before = caps_read();
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_group *group;

	(void)state;
	if (!caps_maps_are_free()) {
		print_message("# on this kernel each access to a map needs CAP_BPF\n");
		skip();
	}
	assert_int_equal(sticky_group_open(&options, &group), 0);
	lower_all();
	use_all_of(group);
	sticky_group_close(group);
	raise_all(&before);
}

/* Shows the fault on such a kernel: without regions nothing works once CAP_BPF is lowered. */
static void without_regions_an_old_kernel_refuses(void **state)
{
	const struct caps_sets before = caps_read();
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_group *group;

	(void)state;
	if (caps_maps_are_free()) {
		print_message("# on this kernel access to a map needs nothing\n");
		skip();
	}
	assert_int_equal(sticky_group_open(&options, &group), 0);
	lower_all();
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), -EPERM);
	raise_all(&before);
	sticky_group_close(group);
}

static void with_regions_every_call_works_on_every_kernel(void **state)
{
	const struct caps_sets before = caps_read();
	struct sticky_group_options options = options_with_regions();
	struct sticky_group *group;
	uint32_t opened;

	(void)state;
	regions = 0;
	lower_all();
	assert_int_equal(sticky_group_open(&options, &group), 0);
	opened = regions;
	assert_true(opened > 0);
	assert_false(caps_has(CAP_BPF));
	use_all_of(group);
	assert_true(regions > opened);
	assert_false(caps_has(CAP_BPF));
	sticky_group_close(group);
	raise_all(&before);
}

static void a_region_needs_both_its_ends(void **state)
{
	struct sticky_group_options options = options_with_regions();
	struct sticky_group *group;

	(void)state;
	options.restore_bpf = NULL;
	assert_int_equal(sticky_group_open(&options, &group), -EINVAL);
}

/* ---- Several listeners, one program --------------------------------------------------- */

/* A listening address, as a listener writes it and as its clients write it. */
struct place {
	const char *address, *ip;
};

/* Check that each listener of a group has the sockets at which its clients arrive. */
static void check_listeners(const struct place *places, uint32_t count)
{
	struct sticky_group *group = group_start(SLOTS, places[0].address);
	struct sticky_worker *workers[SLOTS];
	uint32_t listener, i, worker;

	for (i = 1; i < count; i++)
		assert_int_equal(sticky_group_listen(group, places[i].address), i);
	workers_start(group, workers);
	for (listener = 0; listener < count; listener++) {
		struct sockaddr_storage server =
			address_of(places[listener].ip, group_port(group, listener));

		for (i = 0; i < SLOTS; i++) {
			int fds[2] = {client_connect(NULL, &server), -1};

			assert_true(fds[0] >= 0);
			fds[1] = workers_accept(workers, SLOTS, listener, &worker);
			assert_true(is_peer(fds[1], fds[0]));
			close_all(fds, 2);
		}
	}
	assert_int_equal(group_counters(group).steered, count * SLOTS);
	assert_int_equal(group_counters(group).dropped, 0);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void listeners_of_one_port_are_told_apart(void **state)
{
	static const struct place places[] = {
		{"127.0.0.1:4711", "127.0.0.1"},
		{"127.0.0.2:4711", "127.0.0.2"},
		{"127.0.0.1:4712", "127.0.0.1"},
		{"[::1]:4711", "::1"},
	};

	(void)state;
	check_listeners(places, group_lacks_v6() ? 3 : COUNT(places));
}

static void there_are_sixteen_listeners(void **state)
{
	struct place places[STICKY_LISTENERS_LIMIT];
	uint32_t i;

	(void)state;
	for (i = 0; i < COUNT(places); i++)
		places[i] = (struct place){"127.0.0.1:0", "127.0.0.1"};
	check_listeners(places, COUNT(places));
}

/*
 * Close a socket with a queue while there are two listeners. Returns the number of lost
 * connections.
 */
static uint32_t move_a_queue(int (*bind_first)(struct listener *listener))
{
	struct sticky_group *group = group_start(1, "127.0.0.1:0");
	struct listener listener = {.backlog = 8, .address = address_of("127.0.0.1", 0)};
	struct waiting line = {0};
	uint32_t lost;
	int previous, successor;

	listener.length = address_length(&listener.address);
	previous = bind_first(&listener);
	assert_true(previous >= 0);
	assert_int_equal(engine_add_listener(group->engine, previous), 1);
	assert_int_equal(listener_listen(&listener, previous), 0);
	assert_int_equal(listener_learn(&listener, previous), 0);
	assert_int_equal(engine_put(group->engine, 1, 0, previous), 0);
	waiting_add(&line, NULL, 0, &listener.address, 3);

	successor = listener_bind(&listener);
	assert_int_equal(listener_listen(&listener, successor), 0);
	assert_int_equal(engine_put(group->engine, 1, 0, successor), 0);
	close(previous);
	waiting_serve(successor);
	lost = waiting_end(&line);
	close(successor);
	engine_remove_last_listener(group->engine);
	sticky_group_close(group);
	return lost;
}

static int bind_by_kernels_choice(struct listener *listener)
{
	return listener_bind(listener);
}

static void the_queue_of_a_port_that_the_kernel_chose_is_moved(void **state)
{
	(void)state;
	assert_int_equal(move_a_queue(listener_bind_first), 0);
}

/* Shows the fault: such a socket has no port any more when it is closed. */
static void a_socket_bound_to_port_0_loses_its_queue(void **state)
{
	(void)state;
	assert_int_equal(move_a_queue(bind_by_kernels_choice), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_loads_with_cap_bpf_alone),
		cmocka_unit_test(a_late_listener_needs_no_capability),
		cmocka_unit_test(without_regions_an_old_kernel_refuses),
		cmocka_unit_test(with_regions_every_call_works_on_every_kernel),
		cmocka_unit_test(a_region_needs_both_its_ends),
		cmocka_unit_test(listeners_of_one_port_are_told_apart),
		cmocka_unit_test(there_are_sixteen_listeners),
		cmocka_unit_test(the_queue_of_a_port_that_the_kernel_chose_is_moved),
		cmocka_unit_test(a_socket_bound_to_port_0_loses_its_queue),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
