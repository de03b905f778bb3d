// SPDX-License-Identifier: MIT
/*
 * The list of proxies changes while proxies connect. The change takes effect at once. An address
 * that is in neither list is never sent to a dispatcher.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../support/clients.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "sticky.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SLOTS	    2
#define DISPATCHERS 2
#define REPLACINGS  100
/* limit for a full list: twenty times the time that was measured under a sanitizer */
#define FULL_MS (uint64_t) wait_scaled_ms(10000)

struct scene {
	struct sticky_group *group;
	struct sticky_dispatchers *dispatchers;
	struct sockaddr_storage server;
};

static struct scene begin(void)
{
	struct scene scene = {.group = group_start(SLOTS, "127.0.0.1:0")};

	assert_int_equal(sticky_dispatchers_open(scene.group, DISPATCHERS, &scene.dispatchers), 0);
	scene.server = group_server(scene.group, 0, AF_INET);
	return scene;
}

static void end(struct scene *scene)
{
	sticky_dispatchers_close(scene->dispatchers);
	sticky_group_close(scene->group);
}

/* Make an IPv4 range. The address is in host order. */
static struct sticky_prefix range(uint32_t address, uint32_t bits)
{
	struct sticky_prefix prefix = {.address = {[10] = 0xff, 0xff},
				       .bits = (uint8_t)(bits + 96)};

	address = htonl(address);
	memcpy(&prefix.address[12], &address, 4);
	return prefix;
}

/* Fill a list with every other address from `first` on. */
static void fill(struct sticky_prefix *list, size_t count, uint32_t first)
{
	size_t i;

	for (i = 0; i < count; i++)
		list[i] = range(first + 2 * (uint32_t)i, 32);
}

static void replace(struct scene *scene, const struct sticky_prefix *list, size_t count)
{
	assert_int_equal(sticky_group_set_proxies(scene->group, list, count, true), 0);
}

/* Accept a connection from a dispatcher. Returns whether there was one. */
static bool take(const struct scene *scene)
{
	uint32_t i;

	for (i = 0; i < DISPATCHERS; i++) {
		int fd = accept(sticky_dispatchers_fd(scene->dispatchers, i, 0), NULL, NULL);

		if (fd >= 0) {
			close(fd);
			return true;
		}
	}
	return false;
}

/*
 * Does this address arrive at a dispatcher? Otherwise its connection is in the queue of a holding
 * socket.
 */
static bool is_proxy(const struct scene *scene, uint32_t address)
{
	struct sockaddr_storage source = address_of("0.0.0.0", 0);
	int client;

	((struct sockaddr_in *)&source)->sin_addr.s_addr = htonl(address);
	client = client_connect(&source, &scene->server);
	assert_true(client >= 0);
	assert_int_equal(client_settle(client), 0);
	close(client);
	return take(scene);
}

/* ---- The list ---------------------------------------------------------------------------- */

#define BASE 0x7f100000 /* 127.16.0.0 */

static void check_thousand(struct scene *scene, size_t count)
{
	static const size_t places[] = {0, 1, 499, 500, 501, 998, 999};
	size_t i;

	for (i = 0; i < COUNT(places); i++) {
		assert_int_equal(is_proxy(scene, BASE + 2 * (uint32_t)places[i]),
				 places[i] < count);
		assert_false(is_proxy(scene, BASE + 2 * (uint32_t)places[i] + 1));
	}
}

static void a_list_that_shrinks_and_grows_is_in_force_at_once(void **state)
{
	static const size_t counts[] = {1000, 500, 1, 0, 1, 999, 1000, 0, 1000};
	struct sticky_prefix list[1000];
	struct scene scene = begin();
	size_t i;

	(void)state;
	fill(list, COUNT(list), BASE);
	for (i = 0; i < COUNT(counts); i++) {
		replace(&scene, list, counts[i]);
		check_thousand(&scene, counts[i]);
	}
	end(&scene);
}

static void a_list_is_replaced_by_another_one(void **state)
{
	struct sticky_prefix list[1000];
	struct scene scene = begin();
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		fill(list, COUNT(list), BASE + i % 2 * 0x10000);
		replace(&scene, list, COUNT(list));
		assert_int_equal(is_proxy(&scene, BASE), i % 2 == 0);
		assert_int_equal(is_proxy(&scene, BASE + 1998), i % 2 == 0);
		assert_int_equal(is_proxy(&scene, BASE + 0x10000), i % 2 == 1);
		assert_int_equal(is_proxy(&scene, BASE + 0x10000 + 1998), i % 2 == 1);
	}
	end(&scene);
}

static void ranges_may_lie_in_each_other_and_be_said_twice(void **state)
{
	const struct sticky_prefix list[] = {range(BASE, 16), range(BASE + 0x100, 24),
					     range(BASE, 16), range(BASE + 0x101, 32),
					     range(BASE, 12), range(BASE + 0x101, 32)};
	struct scene scene = begin();

	(void)state;
	replace(&scene, list, COUNT(list));
	assert_true(is_proxy(&scene, BASE + 0x101));
	assert_true(is_proxy(&scene, BASE + 0xfffff));
	replace(&scene, list, 4); /* without the widest range */
	assert_false(is_proxy(&scene, BASE + 0xfffff));
	assert_true(is_proxy(&scene, BASE + 0xffff));
	replace(&scene, list + 1, 1); /* only the second range */
	assert_true(is_proxy(&scene, BASE + 0x101));
	assert_true(is_proxy(&scene, BASE + 0x1ff));
	assert_false(is_proxy(&scene, BASE + 0xff));
	assert_false(is_proxy(&scene, BASE + 0x200));
	replace(&scene, list + 3, 1);
	assert_true(is_proxy(&scene, BASE + 0x101));
	assert_false(is_proxy(&scene, BASE + 0x102));
	end(&scene);
}

static void what_is_refused_changes_nothing(void **state)
{
	static struct sticky_prefix many[STICKY_PROXIES_LIMIT + 1];
	struct scene scene = begin();
	struct sticky_prefix list[] = {range(BASE, 32), range(BASE + 2, 32)};

	(void)state;
	replace(&scene, list, 2);
	list[0].bits = 24 + 96;
	list[1].bits = 129;
	assert_int_equal(sticky_group_set_proxies(scene.group, list, 2, true), -EINVAL);
	list[1].bits = 255;
	assert_int_equal(sticky_group_set_proxies(scene.group, list, 2, true), -EINVAL);
	fill(many, COUNT(many), BASE + 4);
	assert_int_equal(sticky_group_set_proxies(scene.group, many, COUNT(many), true), -E2BIG);
	assert_int_equal(sticky_group_set_proxies(scene.group, many, SIZE_MAX, true), -E2BIG);
	assert_true(is_proxy(&scene, BASE) && is_proxy(&scene, BASE + 2));
	assert_false(is_proxy(&scene, BASE + 1) || is_proxy(&scene, BASE + 4));
	end(&scene);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/*
 * Both lists are in the kernel for a moment, and other threads that use the group do not wait for
 * long.
 */
static void a_full_list_is_replaced_by_another_full_one(void **state)
{
	static struct sticky_prefix list[STICKY_PROXIES_LIMIT];
	struct scene scene = begin();
	uint64_t start = now_ms();

	(void)state;
	fill(list, COUNT(list), BASE);
	replace(&scene, list, COUNT(list));
	assert_true(is_proxy(&scene, BASE) && is_proxy(&scene, BASE + 2 * COUNT(list) - 2));
	fill(list, COUNT(list), BASE + 0x100000);
	replace(&scene, list, COUNT(list));
	assert_false(is_proxy(&scene, BASE) || is_proxy(&scene, BASE + 2 * COUNT(list) - 2));
	assert_true(is_proxy(&scene, BASE + 0x100000));
	assert_true(now_ms() - start < FULL_MS);
	end(&scene);
}

/* Half of the addresses are removed, spread over the whole list. */
static void half_of_a_full_list_goes_in_no_time(void **state)
{
	static struct sticky_prefix list[STICKY_PROXIES_LIMIT];
	struct scene scene = begin();
	uint64_t start;
	size_t i;

	(void)state;
	fill(list, COUNT(list), BASE);
	replace(&scene, list, COUNT(list));
	for (i = 0; i < COUNT(list) / 2; i++)
		list[i] = list[2 * i];
	start = now_ms();
	replace(&scene, list, COUNT(list) / 2);
	assert_true(now_ms() - start < FULL_MS);
	assert_true(is_proxy(&scene, BASE) && is_proxy(&scene, BASE + 4));
	assert_false(is_proxy(&scene, BASE + 2) || is_proxy(&scene, BASE + 6));
	end(&scene);
}

/* ---- Changes while proxies connect --------------------------------------------------------- */

/* A thread that connects from one proxy without a pause. */
struct hammer {
	const struct scene *scene;
	pthread_t thread;
	atomic_bool stop;
	atomic_uint connections, astray, error;
};

static void *connect_on(void *context)
{
	struct hammer *hammer = context;
	struct sockaddr_storage source = address_of("127.16.0.0", 0);

	while (!hammer->stop) {
		int client = client_connect(&source, &hammer->scene->server);
		int error = client < 0 ? client : client_settle(client);

		if (error) {
			hammer->error = (unsigned int)-error;
			return NULL;
		}
		close(client);
		hammer->astray += !take(hammer->scene);
		hammer->connections++;
	}
	return NULL;
}

static void start_hammer(const struct scene *scene, struct hammer *hammer)
{
	*hammer = (struct hammer){.scene = scene};
	assert_int_equal(pthread_create(&hammer->thread, NULL, connect_on, hammer), 0);
}

static void end_hammer(struct hammer *hammer)
{
	hammer->stop = true;
	pthread_join(hammer->thread, NULL);
	assert_int_equal(hammer->error, 0);
	assert_int_equal(hammer->astray, 0);
	assert_true(hammer->connections > REPLACINGS / 10);
}

static void a_range_that_stays_is_never_missing(void **state)
{
	struct sticky_prefix list[300];
	struct scene scene = begin();
	struct hammer hammer;
	uint32_t i;

	(void)state;
	list[0] = range(BASE, 32);
	replace(&scene, list, 1);
	start_hammer(&scene, &hammer);
	for (i = 0; i < REPLACINGS; i++) {
		fill(list + 1, COUNT(list) - 1, BASE + 2 + i % 2);
		replace(&scene, list, i % 5 ? COUNT(list) : 1);
	}
	end_hammer(&hammer);
	end(&scene);
}

/* The lists have no range in common, but all of them contain the proxy's address. */
static void an_address_that_is_in_all_lists_is_never_missing(void **state)
{
	const struct sticky_prefix lists[][3] = {
		{range(BASE, 32), range(BASE + 1, 32), range(BASE + 2, 31)},
		{range(BASE, 24), range(BASE + 4, 30), range(BASE + 0x1000, 20)},
		{range(BASE, 12), range(BASE + 0x100, 24), range(BASE + 1, 32)},
		{range(BASE, 31), range(BASE, 30), range(BASE, 29)},
	};
	struct scene scene = begin();
	struct hammer hammer;
	uint32_t i;

	(void)state;
	replace(&scene, lists[0], 3);
	start_hammer(&scene, &hammer);
	for (i = 0; i < 30 * REPLACINGS; i++)
		replace(&scene, lists[i % COUNT(lists)], 1 + i % 3);
	end_hammer(&hammer);
	assert_int_equal(group_counters(scene.group).dropped, 0);
	end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_that_shrinks_and_grows_is_in_force_at_once),
		cmocka_unit_test(a_list_is_replaced_by_another_one),
		cmocka_unit_test(ranges_may_lie_in_each_other_and_be_said_twice),
		cmocka_unit_test(what_is_refused_changes_nothing),
		cmocka_unit_test(a_full_list_is_replaced_by_another_full_one),
		cmocka_unit_test(half_of_a_full_list_goes_in_no_time),
		cmocka_unit_test(a_range_that_stays_is_never_missing),
		cmocka_unit_test(an_address_that_is_in_all_lists_is_never_missing),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
