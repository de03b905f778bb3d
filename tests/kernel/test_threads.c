// SPDX-License-Identifier: MIT
/*
 * One process with many threads. Each thread has a slot, and opens and closes several workers in
 * it, while clients connect and other threads read the group's state. The callers use no lock of
 * their own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/libbpf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../support/clients.h"
#include "../support/groups.h"
#include "../support/worker_threads.h"
#include "../support/netns.h"
#include "sticky.h"

#define SLOTS	    4
#define CROWDS	    2
#define CONNECTIONS 500 /* number for each group of clients */
#define PER_WORKER  5	/* number of connections after which a worker is replaced */

struct thread {
	struct sticky_group *group;
	uint32_t slot;
	int stop; /* an eventfd that all threads share */
	pthread_t id;
	uint32_t workers, served;
	int error;
};

/* Returns how many clients were served, or an error of the library. */
static int serve_once(struct thread *thread)
{
	struct sticky_worker *worker;
	int served = sticky_worker_open(thread->group, thread->slot, &worker), error;

	if (served)
		return served;
	error = sticky_worker_ready(worker);
	served = error ? error : worker_thread_serve(worker, thread->stop, PER_WORKER);
	error = sticky_worker_close(worker);
	return error ? error : served;
}

static void *serve_again_and_again(void *context)
{
	struct thread *thread = context;
	int served;

	do {
		served = serve_once(thread);
		if (served < 0) {
			thread->error = served;
			return NULL;
		}
		thread->served += (uint32_t)served;
		thread->workers++;
	} while (served == PER_WORKER);
	return NULL;
}

static bool is_stopped(int stop)
{
	return !nothing_waits(stop);
}

/* Read the group's state, as the status page of an operator does. */
static void *look_on(void *context)
{
	struct thread *thread = context;

	while (!thread->error && !is_stopped(thread->stop)) {
		struct sticky_counters counters = {.size = sizeof(counters)};
		struct sticky_slot_info infos[SLOTS] = {{.size = sizeof(infos[0])}};
		struct sockaddr_storage client = client_address(AF_INET, thread->served++);
		struct sticky_where where = {.size = sizeof(where)};

		thread->error = sticky_group_counters(thread->group, &counters);
		if (!thread->error)
			thread->error = sticky_group_slot_infos(thread->group, SLOTS, infos);
		if (!thread->error)
			thread->error = sticky_group_where(thread->group, (void *)&client, &where);
	}
	return NULL;
}

static void start_threads(struct sticky_group *group, int stop, struct thread *ret_threads)
{
	uint32_t i;

	for (i = 0; i <= SLOTS; i++) {
		ret_threads[i] = (struct thread){.group = group, .slot = i, .stop = stop};
		assert_int_equal(pthread_create(&ret_threads[i].id, NULL,
						i < SLOTS ? serve_again_and_again : look_on,
						&ret_threads[i]),
				 0);
	}
}

static void check_crowd(const struct crowd *crowd)
{
	if (crowd->served != CONNECTIONS || crowd->delayed || crowd->strayed)
		fail_msg("%u served, %u refused, %u lost, %u delayed, %u strayed, error %d",
			 crowd->served, crowd->refused, crowd->lost, crowd->delayed, crowd->strayed,
			 crowd->error);
}

static void check_threads(const struct thread *threads)
{
	uint32_t slot, served = 0;

	for (slot = 0; slot < SLOTS; slot++) {
		assert_int_equal(threads[slot].error, 0);
		assert_true(threads[slot].workers > 1);
		served += threads[slot].served;
	}
	assert_int_equal(threads[SLOTS].error, 0);
	assert_true(threads[SLOTS].served > 0);
	assert_int_equal(served, CROWDS * CONNECTIONS);
}

static void threads_open_and_close_workers_while_clients_come(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	int stop = eventfd(0, EFD_CLOEXEC);
	struct thread threads[SLOTS + 1];
	struct crowd crowds[CROWDS];
	uint32_t i;

	(void)state;
	start_threads(group, stop, threads);
	for (i = 0; i < CROWDS; i++) {
		crowds[i] = (struct crowd){.group = group,
					   .server = group_server(group, 0, AF_INET),
					   .family = AF_INET,
					   .first = i * CROWD_MAX,
					   .addresses = CROWD_MAX,
					   .limit = CONNECTIONS};
		assert_int_equal(crowd_start(&crowds[i]), 0);
	}
	for (i = 0; i < CROWDS; i++)
		crowd_end(&crowds[i], false);
	eventfd_write(stop, 1);
	for (i = 0; i <= SLOTS; i++)
		pthread_join(threads[i].id, NULL);
	close(stop);
	for (i = 0; i < CROWDS; i++)
		check_crowd(&crowds[i]);
	check_threads(threads);
	assert_int_equal(group_counters(group).dropped, 0);
	sticky_group_close(group);
}

/* Open and close groups of this thread's own. Groups share nothing. */
static void *open_and_close_groups(void *context)
{
	struct thread *thread = context;
	struct sticky_group_options options = {.size = sizeof(options), .slots = 2};
	uint32_t i;

	for (i = 0; i < 10 && !thread->error; i++) {
		struct sticky_group *group;
		int index;

		thread->error = sticky_group_open(&options, &group);
		if (thread->error)
			break;
		index = sticky_group_listen(group, "127.0.0.1:0");
		thread->error = index < 0 ? index : 0;
		sticky_group_close(group);
	}
	return NULL;
}

static void run_groups_in_threads(void)
{
	struct thread threads[SLOTS] = {{0}};
	uint32_t i;

	for (i = 0; i < SLOTS; i++)
		assert_int_equal(
			pthread_create(&threads[i].id, NULL, open_and_close_groups, &threads[i]),
			0);
	for (i = 0; i < SLOTS; i++) {
		pthread_join(threads[i].id, NULL);
		assert_int_equal(threads[i].error, 0);
	}
}

static void groups_of_several_threads_do_not_disturb_each_other(void **state)
{
	(void)state;
	run_groups_in_threads();
}

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

/* A thread that looks at the callback that the host gave to libbpf, while groups are opened. */
struct watcher {
	pthread_t id;
	atomic_bool stop;
	bool has_changed;
};

static void *watch_the_callback(void *argument)
{
	struct watcher *watcher = argument;

	while (!atomic_load(&watcher->stop))
		watcher->has_changed |= libbpf_set_print(print_nothing) != print_nothing;
	return NULL;
}

/* This program uses libbpf itself. The library has a copy of its own. */
static void the_libbpf_of_the_host_is_not_touched(void **state)
{
	libbpf_print_fn_t previous = libbpf_set_print(print_nothing);
	struct watcher watcher = {0};
	uint32_t i;

	(void)state;
	assert_int_equal(pthread_create(&watcher.id, NULL, watch_the_callback, &watcher), 0);
	for (i = 0; i < 5; i++)
		run_groups_in_threads();
	atomic_store(&watcher.stop, true);
	pthread_join(watcher.id, NULL);
	assert_false(watcher.has_changed);
	libbpf_set_print(previous);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_open_and_close_workers_while_clients_come),
		cmocka_unit_test(groups_of_several_threads_do_not_disturb_each_other),
		cmocka_unit_test(the_libbpf_of_the_host_is_not_touched),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
