// SPDX-License-Identifier: MIT
/*
 * sticky.h says that any function may be called from any thread, also for the same group. Here
 * several threads call all functions while slots and listeners change. Under ThreadSanitizer this
 * test fails at every access to the group outside of its lock. Without ThreadSanitizer it fails at
 * a wrong result, a deadlock, or a descriptor that is left open.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "sticky.h"

#define SLOTS_MAX     6
#define RUN_MS	      1500
#define CHANGES_LEAST 10 /* the least number of changes of the number of slots in RUN_MS */

struct storm {
	struct sticky_group *group;
	atomic_bool stop;
	atomic_uint changes;
	atomic_int unexpected; /* the last unexpected result */
	atomic_int where;      /* the line at which that result was returned */
};

typedef void turn_fn(struct storm *storm, uint32_t turn);

struct caller {
	struct storm *storm;
	turn_fn *turn;
	pthread_t id;
};

static void note(struct storm *storm, int line, int result)
{
	atomic_store(&storm->where, line);
	atomic_store(&storm->unexpected, result);
}

#define EXPECT(storm, condition, result)                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			note(storm, __LINE__, result);                                             \
	} while (0)

static void *call_until_stop(void *context)
{
	struct caller *caller = context;
	uint32_t turn;

	for (turn = 0; !atomic_load(&caller->storm->stop); turn++)
		caller->turn(caller->storm, turn);
	return NULL;
}

/* ---- The calls of each thread ------------------------------------------------------------ */

static void change_slots(struct storm *storm, uint32_t turn)
{
	static const uint32_t counts[] = {3, SLOTS_MAX, 1, 2, SLOTS_MAX, 4};
	uint32_t slots = counts[turn % (sizeof(counts) / sizeof(counts[0]))];
	int result = sticky_group_set_slots(storm->group, slots);

	EXPECT(storm, result >= 0, result);
	EXPECT(storm, sticky_group_slots(storm->group) == slots, (int)slots);
	atomic_fetch_add(&storm->changes, 1);
}

static void deal_out(struct storm *storm, uint32_t turn)
{
	uint32_t slot = turn % SLOTS_MAX;
	int result = sticky_slot_set_away(storm->group, slot, turn & 1);

	EXPECT(storm, result == 0 || result == -EINVAL, result);
	result = sticky_group_apply(storm->group);
	EXPECT(storm, result >= 0, result);
	result = sticky_slot_adopt(storm->group, slot, turn);
	EXPECT(storm, result == 0, result);
}

static void open_and_close_workers(struct storm *storm, uint32_t turn)
{
	uint32_t slot = turn % SLOTS_MAX;
	struct sticky_worker *worker;
	int result = sticky_worker_open(storm->group, slot, &worker), serves;

	if (result) {
		/* The slot does not exist at the moment. */
		EXPECT(storm, result == -EINVAL, result);
		return;
	}
	EXPECT(storm, sticky_worker_slot(worker) == slot, (int)slot);
	EXPECT(storm, sticky_worker_generation(worker) > 0, 0);
	EXPECT(storm, sticky_worker_fd(worker, 0) >= 0, -1);
	result = sticky_worker_ready(worker);
	EXPECT(storm, result == 0 || result == -ESHUTDOWN, result);
	for (serves = 0; serves < 2; serves++) {
		result = sticky_worker_serve(worker, turn / SLOTS_MAX % 2, serves);
		/* The second listener may not be there yet. */
		EXPECT(storm, result == 0 || result == -ESHUTDOWN || result == -EINVAL, result);
	}
	(void)sticky_worker_queue(worker);
	sticky_slot_wake(storm->group, slot);
	result = sticky_worker_close(worker);
	EXPECT(storm, result == 0, result);
}

static void import_a_worker(struct storm *storm, uint32_t turn)
{
	struct sticky_worker *worker, *copy;
	int fds[STICKY_LISTENERS_LIMIT], result;
	uint32_t i;

	if (sticky_worker_open(storm->group, turn % SLOTS_MAX, &worker))
		return;
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		fds[i] = sticky_worker_fd(worker, i);
	result = sticky_worker_adopt(storm->group, turn % SLOTS_MAX, turn, fds, &copy);
	/* A listener that was added meanwhile is not served. */
	EXPECT(storm, result == 0, result);
	if (result >= 0)
		sticky_worker_close(copy);
	sticky_worker_close(worker);
}

static void add_listeners(struct storm *storm, uint32_t turn)
{
	char text[STICKY_ADDRESS_TEXT_SIZE];
	uint32_t count;
	int result = 0;

	/*
	 * A listener is added in one of 20 turns, so that the last ones are added shortly before
	 * the end.
	 */
	if (turn % 20 == 0) {
		result = sticky_group_listen(storm->group, "127.0.0.1:0");
		EXPECT(storm,
		       result >= 0 || result == -EBUSY || result == -E2BIG || result == -ESHUTDOWN,
		       result);
	}
	count = sticky_group_listener_count(storm->group);
	EXPECT(storm, count > 0, (int)count);
	result = sticky_group_listener_address(storm->group, count - 1, sizeof(text), text);
	EXPECT(storm, result == 0, result);
	result = sticky_group_adopt_listener(storm->group, -1);
	EXPECT(storm, result == -EBADF, result);
	result = sticky_listen("127.0.0.1:0", 0);
	EXPECT(storm, result >= 0, result);
	close(result);
}

static void open_dispatchers(struct storm *storm, uint32_t turn)
{
	static const struct sticky_prefix proxy = {.address = {[10] = 0xff, 0xff, 127, 9},
						   .bits = 96 + 16};
	struct sticky_dispatchers *dispatchers;
	int result = sticky_group_set_proxies(storm->group, &proxy, turn & 1, turn & 2);

	EXPECT(storm, result == 0, result);
	result = sticky_group_set_sample(storm->group, turn & 1 ? 256 : 0);
	EXPECT(storm, result == 0, result);
	result = sticky_dispatchers_open(storm->group, 1 + turn % 2, &dispatchers);
	EXPECT(storm, result == 0 || result == -ESHUTDOWN, result);
	if (result)
		return;
	EXPECT(storm, sticky_dispatchers_fd(dispatchers, 0, 0) >= 0, -1);
	sticky_dispatchers_close(dispatchers);
	usleep(5000); /* listeners can be added between two openings */
}

static void ask(struct storm *storm, uint32_t turn)
{
	struct sticky_counters counters = {.size = sizeof(counters)};
	struct sticky_slot_info info = {.size = sizeof(info)};
	struct sockaddr_storage client = client_address(AF_INET, turn);
	struct sticky_where where = {.size = sizeof(where)};
	int result = sticky_group_counters(storm->group, &counters);

	EXPECT(storm, result == 0, result);
	result = sticky_group_slot_infos(storm->group, 1, &info);
	EXPECT(storm, result == 0, result);
	result = sticky_group_where(storm->group, (void *)&client, &where);
	EXPECT(storm, result == 0 && where.slot < SLOTS_MAX, result);
	(void)sticky_group_seed_id(storm->group);
	(void)sticky_group_wakes(storm->group);
	result = sticky_slot_holding_fd(storm->group, turn % SLOTS_MAX, 0);
	EXPECT(storm, result >= 0 || result == -ENOENT || result == -EINVAL, result);
	sticky_group_run(storm->group);
	/* "/" is not a BPF file system. */
	result = sticky_group_pin(storm->group, "/");
	EXPECT(storm, result < 0, result);
}

static void ask_without_a_group(struct storm *storm, uint32_t turn)
{
	struct sockaddr_storage address;
	char text[STICKY_EXPLANATION_SIZE];

	EXPECT(storm, sticky_address_parse("203.0.113.9", &address) == 0, 0);
	EXPECT(storm, strcmp(sticky_version(), STICKY_VERSION) == 0, 0);
	sticky_explain(-EPERM, sizeof(text), text);
	/*
	 * Until sticky_group_fd() is called for the first time, other functions themselves wait for
	 * work that is due. This call comes some time after the start.
	 */
	if (turn == 20)
		EXPECT(storm, sticky_group_fd(storm->group) >= 0, -1);
	usleep(10000);
}

/* ---- The test ---------------------------------------------------------------------------- */

static void run_storm(struct storm *storm)
{
	static turn_fn *const turns[] = {
		change_slots,	    deal_out,	   open_and_close_workers, open_and_close_workers,
		import_a_worker,    add_listeners, open_dispatchers,	   ask,
		ask_without_a_group};
	struct caller callers[sizeof(turns) / sizeof(turns[0])];
	size_t i;

	for (i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
		callers[i] = (struct caller){.storm = storm, .turn = turns[i]};
		assert_int_equal(pthread_create(&callers[i].id, NULL, call_until_stop, &callers[i]),
				 0);
	}
	usleep((useconds_t)wait_scaled_ms(RUN_MS) * 1000);
	/* New connections are refused while all threads are still running. */
	assert_int_equal(sticky_group_refuse(storm->group), 0);
	usleep(100000);
	atomic_store(&storm->stop, true);
	for (i = 0; i < sizeof(turns) / sizeof(turns[0]); i++)
		pthread_join(callers[i].id, NULL);
}

static void any_function_may_be_called_from_any_thread(void **state)
{
	struct storm storm = {0};
	uint32_t before;

	(void)state;
	storm.group = group_start(2, "127.0.0.1:0");
	/* From the first group on libbpf keeps some descriptors open. */
	sticky_group_close(storm.group);
	before = descriptors_count();
	storm.group = group_start(2, "127.0.0.1:0");
	run_storm(&storm);
	if (atomic_load(&storm.where))
		fail_msg("line %d: %d", atomic_load(&storm.where), atomic_load(&storm.unexpected));
	assert_true(atomic_load(&storm.changes) >= CHANGES_LEAST);
	sticky_group_close(storm.group);
	assert_int_equal(descriptors_count(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_function_may_be_called_from_any_thread),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
