// SPDX-License-Identifier: MIT
/* A process dies, and another one takes over its group: workers, counters, proxies, dispatchers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/channel.h"
#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "sticky.h"

#define SLOTS	    4
#define DISPATCHERS 3
#define PROXY	    "127.0.0.9"
#define OTHER_PROXY "127.0.0.10"

/* The test mounts a BPF file system here. */
static char directory[] = "/tmp/test_adopt.XXXXXX";
static char pins[64];

struct scene {
	struct sticky_group *group;
	struct sticky_worker *workers[SLOTS];
	int fds[SLOTS]; /* descriptors of the previous process's workers */
	struct sticky_dispatchers *dispatchers;
	uint32_t count; /* number of these workers */
};

static struct sticky_prefix single(const char *ip)
{
	struct sockaddr_storage address = address_of(ip, 0);
	struct sticky_prefix prefix = {.address = {[10] = 0xff, 0xff}, .bits = 128};

	memcpy(&prefix.address[12], &((struct sockaddr_in *)&address)->sin_addr, 4);
	return prefix;
}

/* ---- The previous process -------------------------------------------------------------------- */

static int send_worker(struct sticky_group *group, uint32_t slot, int channel)
{
	struct channel_message message = {
		.version = CHANNEL_VERSION, .kind = CHANNEL_CONNECTION, .id = slot};
	struct sticky_worker *worker;
	int error = sticky_worker_open(group, slot, &worker);

	if (!error)
		error = sticky_worker_ready(worker);
	if (!error)
		error = channel_send(channel, &message, sticky_worker_fd(worker, 0));
	return error;
}

static int previous_process(uint32_t dispatchers, bool pin_late, int channel)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_prefix proxy = single(PROXY);
	struct sticky_dispatchers *sockets;
	struct sticky_group *group;
	uint32_t slot;
	int error = sticky_group_open(&options, &group);

	if (!error && !pin_late)
		error = sticky_group_pin(group, pins);
	if (!error)
		error = sticky_group_listen(group, "127.0.0.1:0");
	if (!error && pin_late)
		error = sticky_group_pin(group, pins);
	if (!error)
		error = sticky_group_set_proxies(group, &proxy, 1, false);
	if (!error && dispatchers)
		error = sticky_dispatchers_open(group, dispatchers, &sockets);
	for (slot = 0; slot < SLOTS && !error; slot++)
		error = send_worker(group, slot, channel);
	return error;
}

static pid_t start_former(uint32_t dispatchers, bool pin_late, int channel)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (previous_process(dispatchers, pin_late, channel))
			_exit(1);
		for (;;)
			pause();
	}
	return pid;
}

/* The previous process runs until its workers' sockets have arrived here, then it dies. */
static void run_previous_process(struct scene *scene, uint32_t dispatchers, bool pin_late)
{
	struct channel_message message;
	int ends[2], status;
	uint32_t slot;
	pid_t pid;

	assert_int_equal(channel_pair(ends), 0);
	pid = start_former(dispatchers, pin_late, ends[1]);
	close(ends[1]);
	for (slot = 0; slot < SLOTS; slot++) {
		assert_int_equal(wait_readable(ends[0]), 0);
		assert_int_equal(channel_receive(ends[0], &message, &scene->fds[slot]), 1);
		assert_int_equal(message.id, slot);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(ends[0]);
}

/* ---- The next one --------------------------------------------------------------------------- */

static void adopt(struct scene *scene)
{
	struct sticky_group_options options = group_options(SLOTS);
	uint32_t slot;

	assert_int_equal(sticky_group_adopt(&options, pins, &scene->group), 0);
	assert_int_equal(sticky_group_adopt_listener(scene->group, scene->fds[0]), 0);
	for (slot = 0; slot < SLOTS; slot++)
		assert_int_equal(sticky_worker_adopt(scene->group, slot, 1, &scene->fds[slot],
						     &scene->workers[slot]),
				 1);
	close_all(scene->fds, SLOTS);
}

static void open_dispatchers(struct scene *scene, uint32_t count)
{
	assert_int_equal(sticky_dispatchers_open(scene->group, count, &scene->dispatchers), 0);
	scene->count = count;
}

static void finish(struct scene *scene)
{
	assert_int_equal(sticky_group_finish_adoption(scene->group), 0);
}

static void end(struct scene *scene)
{
	struct stat status;
	char path[128];

	sticky_dispatchers_close(scene->dispatchers);
	workers_close(scene->group, scene->workers);
	sticky_group_close(scene->group);
	snprintf(path, sizeof(path), "%s/proxies", pins);
	assert_int_equal(stat(path, &status), -1);
}

/* Returns the place at which a client arrives: a slot, SLOTS for any dispatcher, or -errno. */
static int land(const struct scene *scene, const char *ip)
{
	struct sockaddr_storage source = address_of(ip, 0);
	struct sockaddr_storage server = group_server(scene->group, 0, AF_INET);
	struct pollfd fds[SLOTS + DISPATCHERS];
	int client = client_connect(&source, &server), fd;
	uint32_t i;

	if (client < 0)
		return client;
	for (i = 0; i < SLOTS + scene->count; i++) {
		fd = i < SLOTS ? sticky_worker_fd(scene->workers[i], 0)
			       : sticky_dispatchers_fd(scene->dispatchers, i - SLOTS, 0);
		fds[i] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
	assert_int_equal(poll(fds, SLOTS + scene->count, WAIT_DEADLINE_MS), 1);
	for (i = 0; !fds[i].revents; i++)
		;
	fd = client_accept(fds[i].fd);
	assert_true(is_peer(fd, client));
	close(fd);
	close(client);
	return i < SLOTS ? (int)i : SLOTS;
}

static void check_own_slot(const struct scene *scene, const char *ip)
{
	struct sockaddr_storage source = address_of(ip, 0);

	assert_int_equal(land(scene, ip), group_slot_of(scene->group, &source));
}

static void proxies_survive_and_dispatchers_are_opened_anew(void **state)
{
	struct scene scene = {0};
	uint32_t i;

	(void)state;
	run_previous_process(&scene, DISPATCHERS, false);
	adopt(&scene);
	/*
	 * The dispatchers of the previous process are gone, but its setting for that case still
	 * applies.
	 */
	assert_int_equal(land(&scene, PROXY), -ECONNREFUSED);
	open_dispatchers(&scene, 2);
	assert_int_equal(land(&scene, PROXY), SLOTS);
	finish(&scene);
	for (i = 0; i < 10; i++)
		assert_int_equal(land(&scene, PROXY), SLOTS);
	check_own_slot(&scene, OTHER_PROXY);
	assert_int_equal(group_counters(scene.group).dispatched, 11);
	assert_int_equal(group_counters(scene.group).dropped, 1);
	end(&scene);
}

static void who_opens_no_dispatchers_has_none(void **state)
{
	struct scene scene = {0};

	(void)state;
	run_previous_process(&scene, DISPATCHERS, true);
	adopt(&scene);
	finish(&scene);
	check_own_slot(&scene, PROXY);
	check_own_slot(&scene, OTHER_PROXY);
	assert_int_equal(group_counters(scene.group).dispatched, 0);
	assert_int_equal(group_counters(scene.group).dropped, 0);
	/* The list of proxies is still there, and dispatchers can be opened later. */
	open_dispatchers(&scene, DISPATCHERS);
	assert_int_equal(land(&scene, PROXY), SLOTS);
	check_own_slot(&scene, OTHER_PROXY);
	end(&scene);
}

static void a_former_process_without_dispatchers_can_be_followed_by_one_with(void **state)
{
	struct scene scene = {0};

	(void)state;
	run_previous_process(&scene, 0, false);
	adopt(&scene);
	check_own_slot(&scene, PROXY);
	open_dispatchers(&scene, 1);
	finish(&scene);
	assert_int_equal(land(&scene, PROXY), SLOTS);
	end(&scene);
}

static void the_list_is_the_next_ones_to_change(void **state)
{
	struct sticky_prefix other = single(OTHER_PROXY);
	struct scene scene = {0};

	(void)state;
	run_previous_process(&scene, DISPATCHERS, false);
	adopt(&scene);
	open_dispatchers(&scene, DISPATCHERS);
	finish(&scene);
	assert_int_equal(sticky_group_set_proxies(scene.group, &other, 1, true), 0);
	check_own_slot(&scene, PROXY);
	assert_int_equal(land(&scene, OTHER_PROXY), SLOTS);
	end(&scene);
}

/*
 * Connections that were queued at a worker are still there. The generation of the next worker
 * follows that of the previous one.
 */
static void workers_go_on(void **state)
{
	struct scene scene = {0};
	struct sticky_worker *next;

	(void)state;
	run_previous_process(&scene, DISPATCHERS, false);
	adopt(&scene);
	finish(&scene);
	assert_int_equal(group_slot_info(scene.group, 1).generation, 1);
	assert_false(group_slot_info(scene.group, 1).holding);
	next = worker_start(scene.group, 1);
	assert_int_equal(sticky_worker_generation(next), 2);
	assert_int_equal(sticky_worker_close(scene.workers[1]), 0);
	scene.workers[1] = next;
	check_own_slot(&scene, "127.0.0.1");
	check_own_slot(&scene, "127.0.0.2");
	check_own_slot(&scene, "127.0.0.3");
	end(&scene);
}

static void what_is_not_all_there_is_not_taken_over(void **state)
{
	static const char *const names[] = {"proxies", "settings", "table", "counters"};
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_group *untouched = (void *)&options, *group = untouched;
	uint32_t before = descriptors_count();
	char path[128];
	size_t i;

	(void)state;
	assert_int_equal(sticky_group_adopt(&options, pins, &group), -ENOENT);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sticky_group *previous = group_start(SLOTS, "127.0.0.1:0");

		assert_int_equal(sticky_group_pin(previous, pins), 0);
		snprintf(path, sizeof(path), "%s/%s", pins, names[i]);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(sticky_group_adopt(&options, pins, &group), -ENOENT);
		sticky_group_close(previous);
	}
	assert_ptr_equal(group, untouched);
	assert_int_equal(descriptors_count(), before);
	assert_int_equal(rmdir(pins), 0); /* nothing is left in the directory */
	assert_int_equal(mkdir(pins, 0700), 0);
}

/* A group that replaced the pins of another one would also remove them at its end. */
static void pins_are_those_of_one_group(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0"), *other, *adopted;
	struct sticky_group_options options = group_options(SLOTS);
	char path[128];

	(void)state;
	other = group_start(SLOTS, "127.0.0.1:0");
	assert_int_equal(sticky_group_pin(group, pins), 0);
	assert_int_equal(sticky_group_pin(group, pins), -EBUSY);
	assert_int_equal(sticky_group_pin(group, "/tmp"), -EBUSY);
	assert_int_equal(sticky_group_pin(other, pins), -EEXIST);
	sticky_group_close(other);
	/* The export is whole. */
	assert_int_equal(sticky_group_adopt(&options, pins, &adopted), 0);
	assert_int_equal(sticky_group_pin(adopted, pins), -EBUSY);
	sticky_group_close(adopted);
	/* With a single pin of another group, too, nothing is added. */
	snprintf(path, sizeof(path), "%s/settings", pins);
	assert_int_equal(unlink(path), 0);
	other = group_start(SLOTS, "127.0.0.1:0");
	assert_int_equal(sticky_group_pin(other, pins), -EEXIST);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%s/table", pins);
	assert_int_equal(access(path, F_OK), 0);
	sticky_group_close(other);
	sticky_group_close(group);
	assert_int_equal(rmdir(pins), 0);
	assert_int_equal(mkdir(pins, 0700), 0);
}

/* The next process may take over a listening socket, but not at an address that it has imported. */
static void a_listener_is_added_after_the_import(void **state)
{
	struct sockaddr_storage server = address_of("127.0.0.1", 0), same;
	int fd = plain_listen(&server, SO_REUSEADDR), beside;
	struct scene scene = {0};

	(void)state;
	run_previous_process(&scene, 0, false);
	adopt(&scene);
	finish(&scene);
	same = group_server(scene.group, 0, AF_INET);
	beside = plain_listen(&same, SO_REUSEPORT);
	assert_true(beside >= 0);
	assert_int_equal(sticky_group_listen_socket(scene.group, beside), -EADDRINUSE);
	close(beside);
	assert_int_equal(
		sticky_group_listen_socket(scene.group, sticky_worker_fd(scene.workers[0], 0)),
		-EBUSY);
	assert_int_equal(sticky_group_listen_socket(scene.group, fd), 1);
	close(fd);
	check_own_slot(&scene, OTHER_PROXY);
	assert_int_equal(group_count_moved(scene.group, scene.workers, 1, AF_INET, 64), 0);
	end(&scene);
}

/* Returns NULL, or why it is not possible. */
static const char *mount_pins(void)
{
	if (!mkdtemp(directory))
		return "may not make a directory";
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", directory, "bpf", 0, NULL)) {
		rmdir(directory);
		return "may not mount a BPF file system";
	}
	snprintf(pins, sizeof(pins), "%s/pins", directory);
	return mkdir(pins, 0700) ? "may not make a directory for pins" : NULL;
}

static void unmount_pins(void)
{
	umount2(directory, MNT_DETACH);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proxies_survive_and_dispatchers_are_opened_anew),
		cmocka_unit_test(who_opens_no_dispatchers_has_none),
		cmocka_unit_test(a_former_process_without_dispatchers_can_be_followed_by_one_with),
		cmocka_unit_test(the_list_is_the_next_ones_to_change),
		cmocka_unit_test(workers_go_on),
		cmocka_unit_test(what_is_not_all_there_is_not_taken_over),
		cmocka_unit_test(pins_are_those_of_one_group),
		cmocka_unit_test(a_listener_is_added_after_the_import),
	};
	const char *reason = netns_enter();
	int failed;

	if (!reason)
		reason = mount_pins();
	if (reason)
		return netns_skip(reason);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unmount_pins();
	return failed;
}
