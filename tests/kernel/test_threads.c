// SPDX-License-Identifier: MIT
/*
 * One process with many threads. Each thread has a slot, and opens and closes several workers in
 * it, while clients connect and other threads read the group's state or look clients up. The
 * callers use no lock of their own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/libbpf.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/clients.h"
#include "../support/groups.h"
#include "../support/worker_threads.h"
#include "../support/netns.h"
#include "../support/wait.h"
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

/* Reads the group's state, as the status page of an operator does. */
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

/* ---- Look-ups ---------------------------------------------------------------------------- */

#define READERS	    2
#define LOOKUPS	    3000000
#define FEW	    3
#define MANY	    (FEW + 1)
#define DEADLINE_MS 20000
/* More than there are processors: a copier that has to wait in its copy sees several changes. */
#define COPIERS 8
#ifdef __SANITIZE_THREAD__
#define CHANGES 40 /* a copy takes 50 times as long */
#else
#define CHANGES 300
#endif

struct lookups {
	struct sticky_group *group;
	atomic_uint done;
};

/*
 * With this mode of seccomp(2) the kernel ends a process, or the thread, that makes any system call
 * but read(), write() and exit().
 */
static void *look_up_without_system_calls(void *context)
{
	struct lookups *lookups = context;
	struct sockaddr_storage client = client_address(AF_INET, 0);
	uint32_t i;

	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	for (i = 0; i < LOOKUPS; i++) {
		struct sticky_where where = {.size = sizeof(where)};

		((struct sockaddr_in *)&client)->sin_addr.s_addr = i;
		if (sticky_group_slot_of(lookups->group, (void *)&client) >= MANY)
			break;
		if (i % 16 == 0 && sticky_group_where(lookups->group, (void *)&client, &where) != 0)
			break;
	}
	atomic_fetch_add(&lookups->done, i == LOOKUPS);
	syscall(SYS_exit, 0); /* of this thread alone: pthread_exit() would make other calls */
	return NULL;
}

/* In a child. The group is opened there, as that of a parent has no locks. */
static int run_lookups(void)
{
	struct sticky_group_options options = group_options(FEW);
	struct lookups lookups = {.done = 0};
	uint32_t i, turn;
	pthread_t id;

	/* A thread that was ended may have a lock, for which this one would wait. */
	alarm((unsigned int)wait_scaled_ms(DEADLINE_MS) / 1000);
	options.engine = STICKY_ENGINE_USER;
	if (sticky_group_open(&options, &lookups.group))
		return 2;
	for (i = 0; i < READERS; i++)
		if (pthread_create(&id, NULL, look_up_without_system_calls, &lookups))
			return 3;
	for (turn = 0; atomic_load(&lookups.done) < READERS; turn++)
		if (sticky_group_set_slots(lookups.group, turn & 1 ? FEW : MANY) < 0)
			return 4;
	return 0;
}

static void look_ups_of_several_threads_make_no_system_call(void **state)
{
	int status;
	pid_t pid;

	(void)state;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	skip(); /* the sanitizers make system calls of their own */
#endif
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run_lookups());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Three: each of the two buffers of the library gets other tables in turn. */
#define TABLES 3

/* Copies the table while it changes: each copy must be one of the tables, and no mixture. */
struct copier {
	struct sticky_group *group;
	const uint16_t (*tables)[STICKY_BUCKET_COUNT]; /* TABLES of them */
	uint16_t copy[STICKY_BUCKET_COUNT];
	pthread_t id;
	const atomic_bool *stop;
	uint32_t copies, mixtures;
};

static bool is_mixture(const struct copier *copier)
{
	uint32_t i;

	for (i = 0; i < TABLES; i++)
		if (!memcmp(copier->copy, copier->tables[i], sizeof(copier->copy)))
			return false;
	return true;
}

static void *copy_tables(void *context)
{
	struct copier *copier = context;

	for (; !atomic_load(copier->stop); copier->copies++) {
		sticky_group_table(copier->group, copier->copy);
		copier->mixtures += is_mixture(copier);
	}
	return NULL;
}

static void a_copy_of_the_table_is_of_one_moment(void **state)
{
	static uint16_t tables[TABLES][STICKY_BUCKET_COUNT];
	static struct copier copiers[COPIERS];
	struct sticky_group_options options = group_options(FEW + TABLES);
	struct sticky_group *group;
	atomic_bool stop = false;
	uint32_t i;

	(void)state;
	options.engine = STICKY_ENGINE_USER;
	assert_int_equal(sticky_group_open(&options, &group), 0);
	for (i = 0; i < TABLES; i++) {
		assert_true(sticky_group_set_slots(group, FEW + i) > 0);
		sticky_group_table(group, tables[i]);
	}
	for (i = 0; i < COPIERS; i++) {
		copiers[i] = (struct copier){.group = group, .tables = tables, .stop = &stop};
		assert_int_equal(pthread_create(&copiers[i].id, NULL, copy_tables, &copiers[i]), 0);
	}
	for (i = 0; i < CHANGES; i++)
		assert_true(sticky_group_set_slots(group, FEW + i % TABLES) > 0);
	atomic_store(&stop, true);
	for (i = 0; i < COPIERS; i++) {
		pthread_join(copiers[i].id, NULL);
		assert_true(copiers[i].copies > 0);
		assert_int_equal(copiers[i].mixtures, 0);
	}
	sticky_group_close(group);
}

/* Groups share nothing: each thread opens and closes some of its own. */
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

/* While groups are opened, another thread looks at the callback that the host gave to libbpf. */
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
		cmocka_unit_test(look_ups_of_several_threads_make_no_system_call),
		cmocka_unit_test(a_copy_of_the_table_is_of_one_moment),
		cmocka_unit_test(groups_of_several_threads_do_not_disturb_each_other),
		cmocka_unit_test(the_libbpf_of_the_host_is_not_touched),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
