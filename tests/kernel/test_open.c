// SPDX-License-Identifier: MIT
/* What a group needs to open, and what it returns. It leaves nothing behind. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/caps.h"
#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "sticky.h"

#define SLOTS 8

#define LOOKED_AT 1024

/* the descriptors that were open when the program was started */
static bool open_before[LOOKED_AT];

static void look_at_descriptors(void)
{
	int fd;

	for (fd = 0; fd < LOOKED_AT; fd++)
		open_before[fd] = fcntl(fd, F_GETFD) >= 0;
}

static int open_result(const struct sticky_group_options *options)
{
	struct sticky_group *untouched = (void *)options, *group = untouched;
	int error = sticky_group_open(options, &group);

	if (error)
		assert_ptr_equal(group, untouched);
	else
		sticky_group_close(group);
	return error;
}

static void slots_and_prefixes_have_limits(void **state)
{
	struct sticky_group_options options = group_options(1);

	(void)state;
	assert_int_equal(open_result(&options), 0);
	options.slots = 0;
	assert_int_equal(open_result(&options), -EINVAL);
	options.slots = STICKY_SLOTS_LIMIT + 1;
	assert_int_equal(open_result(&options), -EINVAL);
	options.slots = UINT32_MAX;
	assert_int_equal(open_result(&options), -EINVAL);

	options = group_options(1);
	options.v4_prefix = 33;
	assert_int_equal(open_result(&options), -EINVAL);
	options = group_options(1);
	options.v6_prefix = 129;
	assert_int_equal(open_result(&options), -EINVAL);
	options = group_options(1);
	options.backlog = (uint32_t)INT32_MAX + 1;
	assert_int_equal(open_result(&options), -EINVAL);

	options = group_options(1);
	options.v4_prefix = options.v6_prefix = options.backlog = 1;
	options.seed = NULL;
	options.log = NULL;
	assert_int_equal(open_result(&options), 0);
}

/* The caller may have been compiled with an older or a newer header. */
static void options_may_have_another_size(void **state)
{
	struct {
		struct sticky_group_options options;
		unsigned char later[16];
	} newer = {.options = group_options(1)};

	(void)state;
	newer.options.size = sizeof(newer);
	assert_int_equal(open_result(&newer.options), 0);
	newer.later[15] = 1;
	assert_int_equal(open_result(&newer.options), -EINVAL);
	newer.options.size = sizeof(newer) - 1;
	assert_int_equal(open_result(&newer.options), 0);
	newer.options.size = offsetof(struct sticky_group_options, engine);
	assert_int_equal(open_result(&newer.options), -EINVAL);
	newer.options.size = 0;
	assert_int_equal(open_result(&newer.options), -EINVAL);
}

static void answers_check_their_size(void **state)
{
	struct sticky_group *group = group_start(2, "127.0.0.1:0");
	struct sticky_counters counters = {
		.size = offsetof(struct sticky_counters, dropped_unreadable)};
	struct {
		struct sticky_slot_info info;
		uint64_t later;
	} newer[2];

	(void)state;
	assert_int_equal(sticky_group_counters(group, &counters), -EINVAL);

	memset(newer, 0xa5, sizeof(newer));
	newer[0].info.size = offsetof(struct sticky_slot_info, overflows);
	assert_int_equal(sticky_group_slot_infos(group, 2, &newer[0].info), -EINVAL);
	newer[0].info.size = sizeof(newer[0]);
	assert_int_equal(sticky_group_slot_infos(group, 0, &newer[0].info), -EINVAL);
	assert_int_equal(sticky_group_slot_infos(group, 3, &newer[0].info), -EINVAL);
	assert_int_equal(sticky_group_slot_infos(group, 2, &newer[0].info), 0);
	assert_int_equal(newer[1].info.size, sizeof(newer[1]));
	assert_int_equal(newer[1].info.buckets, STICKY_BUCKET_COUNT / 2);
	assert_true(newer[0].info.holding && newer[1].info.holding);
	assert_int_equal(newer[0].later, 0xa5a5a5a5a5a5a5a5);
	assert_int_equal(newer[1].later, 0xa5a5a5a5a5a5a5a5);
	sticky_group_close(group);
}

/*
 * Open a group without CAP_BPF, in a child process, as libbpf remembers what a kernel can do.
 * Returns the result.
 */
static int open_without_privilege(void)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct sticky_group_options options = {.size = sizeof(options), .slots = SLOTS};
		uint32_t before = descriptors_count();
		struct sticky_group *group;

		if (caps_set(CAP_BPF, false) || caps_set(CAP_SYS_ADMIN, false))
			_exit(255);
		status = -sticky_group_open(&options, &group);
		_exit(descriptors_count() == before ? status : 254);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void a_group_needs_cap_bpf(void **state)
{
	(void)state;
	assert_int_equal(open_without_privilege(), -EPERM);
}

/* An open group needs no CAP_BPF: a controller lowers it between its calls. */
static void an_open_group_works_without_cap_bpf(void **state)
{
	struct sticky_group *group;
	struct sticky_worker *workers[SLOTS];

	(void)state;
	if (!caps_maps_are_free()) {
		print_message("# on this kernel each access to a map needs CAP_BPF\n");
		skip();
	}
	group = group_start(SLOTS, "127.0.0.1:0");
	assert_int_equal(caps_set(CAP_BPF, false), 0);
	assert_int_equal(caps_set(CAP_SYS_ADMIN, false), 0);
	workers_start(group, workers);
	group_counters(group);
	workers_close(group, workers);
	assert_int_equal(sticky_group_refuse(group), 0);
	assert_int_equal(caps_set(CAP_BPF, true), 0);
	assert_int_equal(caps_set(CAP_SYS_ADMIN, true), 0);
	sticky_group_close(group);
}

/* Attach a program that takes every connection for the first socket of the group. */
static int attach_takeover(int fd)
{
	struct sock_filter take_all = {.code = BPF_RET | BPF_K, .k = 0};
	struct sock_fprog program = {.len = 1, .filter = &take_all};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program))
		       ? -errno
		       : 0;
}

static void a_worker_can_not_replace_the_program(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sockaddr_storage other = address_of("127.0.0.1", 0);
	int plain = plain_listen(&other, SO_REUSEPORT);
	struct sticky_worker *workers[SLOTS];
	uint32_t slot;

	(void)state;
	assert_int_equal(attach_takeover(plain), 0); /* without the library it works */
	workers_start(group, workers);
	for (slot = 0; slot < SLOTS; slot++)
		assert_int_equal(attach_takeover(sticky_worker_fd(workers[slot], 0)), -EPERM);
	workers_close(group, workers);
	sticky_group_close(group);
	close(plain);
}

static void a_worker_gets_an_ordinary_blocking_socket(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *worker = worker_start(group, 0);
	int fd = sticky_worker_fd(worker, 0), listening = 0;
	socklen_t length = sizeof(listening);

	(void)state;
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length), 0);
	assert_int_equal(listening, 1);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

/* A program that the host executes has none of the descriptors that a group opens. */
static void no_descriptor_survives_exec(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *worker = worker_start(group, 0);
	int fd;

	(void)state;
	for (fd = 0; fd < LOOKED_AT; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags >= 0 && !(flags & FD_CLOEXEC) && !open_before[fd])
			fail_msg("descriptor %d is not close-on-exec", fd);
	}
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

static void there_are_so_many_slots(void **state)
{
	struct sticky_group *group = group_start(STICKY_SLOTS_LIMIT, "127.0.0.1:0");
	struct sockaddr_storage server = group_server(group, 0, AF_INET);
	uint32_t last = STICKY_SLOTS_LIMIT - 1;
	struct sticky_worker *worker = worker_start(group, last);
	uint32_t number = group_client_of_slot(group, AF_INET, last, 0);
	struct sockaddr_storage client = client_address(AF_INET, number);
	int fd = client_connect(&client, &server);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(wait_readable(sticky_worker_fd(worker, 0)), 0);
	assert_int_equal(group_slot_info(group, last).buckets, 64);
	close(fd);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

/* Open a group with all kinds of objects, use it, and close it. Returns the first error. */
static int use_a_group(void)
{
	struct sticky_group_options options = group_options(2);
	struct sticky_worker *worker = NULL;
	struct sticky_group *group = NULL;
	int result = sticky_group_open(&options, &group), closed;

	if (!result)
		result = sticky_group_listen(group, "127.0.0.1:0");
	if (!result)
		result = sticky_group_listen(group, "127.0.0.1:0");
	if (result >= 0)
		result = sticky_worker_open(group, 0, &worker);
	if (!result)
		result = sticky_worker_ready(worker);
	closed = sticky_worker_close(worker);
	sticky_group_close(group);
	return result ? result : closed;
}

static void a_group_leaves_no_descriptor_behind(void **state)
{
	uint32_t before, i;

	(void)state;
	assert_int_equal(use_a_group(), 0);
	before = descriptors_count();
	for (i = 0; i < 3; i++)
		assert_int_equal(use_a_group(), 0);
	assert_int_equal(descriptors_count(), before);
	sticky_group_close(NULL);
	assert_int_equal(sticky_worker_close(NULL), 0);
}

/* One more descriptor is allowed each time. So each call that opens a descriptor fails once. */
static void running_out_of_descriptors_leaves_none_behind(void **state)
{
	uint32_t before, more;
	int result = -EMFILE;

	(void)state;
	assert_int_equal(use_a_group(), 0);
	before = descriptors_count();
	for (more = 0; result; more++) {
		assert_in_range(more, 0, 100);
		descriptors_limit(more);
		result = use_a_group();
		descriptors_unlimit();
		if (result && result != -EMFILE)
			fail_msg("%u more: %d (%s)", more, result, strerror(-result));
		assert_int_equal(descriptors_count(), before);
	}
	assert_true(more > 10); /* otherwise nothing was limited */
}

/* Call sticky_group_listen() with this many free descriptors. Returns its result. */
static int listen_with(struct sticky_group *group, uint32_t more)
{
	int result;

	descriptors_limit(more);
	result = sticky_group_listen(group, "127.0.0.1:0");
	descriptors_unlimit();
	return result;
}

static int open_worker_with(struct sticky_group *group, uint32_t more,
			    struct sticky_worker **ret_worker)
{
	int result;

	descriptors_limit(more);
	result = sticky_worker_open(group, 0, ret_worker);
	descriptors_unlimit();
	return result;
}

static void what_failed_half_way_can_be_tried_again(void **state)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_group *group;
	struct sticky_worker *worker;
	uint32_t before, more;
	int result;

	(void)state;
	assert_int_equal(sticky_group_open(&options, &group), 0);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 0);
	before = descriptors_count();
	for (more = 0; (result = listen_with(group, more)) < 0; more++) {
		assert_int_equal(result, -EMFILE);
		assert_int_equal(descriptors_count(), before);
		assert_int_equal(sticky_group_listener_count(group), 1);
	}
	/* one socket for each slot, as the program is loaded already */
	assert_int_equal(more, SLOTS);
	assert_int_equal(result, 1);

	before = descriptors_count();
	for (more = 0; (result = open_worker_with(group, more, &worker)) < 0; more++) {
		assert_int_equal(result, -EMFILE);
		assert_int_equal(descriptors_count(), before);
	}
	assert_int_equal(more, 2); /* one socket for each listener */
	assert_int_equal(sticky_worker_generation(worker), 1);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_and_prefixes_have_limits),
		cmocka_unit_test(options_may_have_another_size),
		cmocka_unit_test(answers_check_their_size),
		cmocka_unit_test(a_group_needs_cap_bpf),
		cmocka_unit_test(an_open_group_works_without_cap_bpf),
		cmocka_unit_test(a_worker_can_not_replace_the_program),
		cmocka_unit_test(a_worker_gets_an_ordinary_blocking_socket),
		cmocka_unit_test(no_descriptor_survives_exec),
		cmocka_unit_test(there_are_so_many_slots),
		cmocka_unit_test(a_group_leaves_no_descriptor_behind),
		cmocka_unit_test(running_out_of_descriptors_leaves_none_behind),
		cmocka_unit_test(what_failed_half_way_can_be_tried_again),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	descriptors_unlimit();
	look_at_descriptors();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
