// SPDX-License-Identifier: MIT
/* Connections of proxies go to dispatchers. All others go to the slot of their own address. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "sticky.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SLOTS 4
#define MANY  200
#define SLOT  2

struct scene {
	struct sticky_group *group;
	struct sticky_worker *workers[SLOTS];
	struct sticky_dispatchers *dispatchers;
	uint32_t count; /* number of dispatchers */
};

/*
 * Make a range. `bits` is counted as users write it: for IPv4 from the beginning of the IPv4
 * address.
 */
static struct sticky_prefix range(const char *ip, uint32_t bits)
{
	struct sockaddr_storage address = address_of(ip, 0);
	struct sticky_prefix prefix = {.address = {[10] = 0xff, 0xff}, .bits = (uint8_t)bits};

	if (address.ss_family == AF_INET) {
		memcpy(&prefix.address[12], &((struct sockaddr_in *)&address)->sin_addr, 4);
		prefix.bits = (uint8_t)(bits + 96);
	} else {
		memcpy(prefix.address, &((struct sockaddr_in6 *)&address)->sin6_addr, 16);
	}
	return prefix;
}

static void open_dispatchers(struct scene *scene, uint32_t count)
{
	assert_int_equal(sticky_dispatchers_open(scene->group, count, &scene->dispatchers), 0);
	scene->count = count;
}

static void close_dispatchers(struct scene *scene)
{
	sticky_dispatchers_close(scene->dispatchers);
	scene->dispatchers = NULL;
	scene->count = 0;
}

static struct scene begin(const char *address, uint32_t dispatchers)
{
	struct scene scene = {.group = group_start(SLOTS, address)};

	workers_start(scene.group, scene.workers);
	if (dispatchers)
		open_dispatchers(&scene, dispatchers);
	return scene;
}

static void end(struct scene *scene)
{
	close_dispatchers(scene);
	workers_close(scene->group, scene->workers);
	sticky_group_close(scene->group);
}

static void set_proxies(struct scene *scene, const struct sticky_prefix *list, size_t count)
{
	assert_int_equal(sticky_group_set_proxies(scene->group, list, count, true), 0);
}

/* ---- Where a client arrives ------------------------------------------------------------- */

static uint32_t fill_in_fds(const struct scene *scene, uint32_t listener, struct pollfd *fds)
{
	uint32_t i;

	for (i = 0; i < SLOTS; i++)
		fds[i].fd = sticky_worker_fd(scene->workers[i], listener);
	for (i = 0; i < scene->count; i++)
		fds[SLOTS + i].fd = sticky_dispatchers_fd(scene->dispatchers, i, listener);
	for (i = 0; i < SLOTS + scene->count; i++)
		fds[i].events = POLLIN;
	return SLOTS + scene->count;
}

/* Accept a connection. Returns where it arrived: a slot, or SLOTS + a dispatcher. */
static int take(const struct scene *scene, uint32_t listener, int client)
{
	struct pollfd fds[SLOTS + STICKY_DISPATCHERS_LIMIT];
	uint32_t count = fill_in_fds(scene, listener, fds), i;
	int fd;

	assert_true(poll(fds, count, WAIT_DEADLINE_MS) > 0);
	for (i = 0; !fds[i].revents; i++)
		;
	fd = client_accept(fds[i].fd);
	assert_true(fd >= 0);
	assert_true(client < 0 || is_peer(fd, client));
	close(fd);
	return (int)i;
}

/* Wait for a connection. Returns true if it waits at the first dispatcher. */
static bool arrives_at_dispatcher(const struct scene *scene, uint32_t listener)
{
	struct pollfd fds[SLOTS + STICKY_DISPATCHERS_LIMIT];
	uint32_t count = fill_in_fds(scene, listener, fds);

	assert_true(poll(fds, count, WAIT_DEADLINE_MS) > 0);
	return fds[SLOTS].revents != 0;
}

/* Connect a client. Returns where it arrived, or -errno. */
static int land_at(const struct scene *scene, uint32_t listener,
		   const struct sockaddr_storage *source)
{
	struct sockaddr_storage server = group_server(scene->group, listener, source->ss_family);
	int client = client_connect(source, &server), place;

	if (client < 0)
		return client;
	place = take(scene, listener, client);
	close(client);
	return place;
}

static int land(const struct scene *scene, const char *ip)
{
	struct sockaddr_storage source = address_of(ip, 0);

	return land_at(scene, 0, &source);
}

static void check_dispatched(const struct scene *scene, const char *ip)
{
	int place = land(scene, ip);

	if (place < SLOTS)
		fail_msg("%s came to %d", ip, place);
}

static void check_own_slot(const struct scene *scene, const char *ip)
{
	struct sockaddr_storage source = address_of(ip, 0);
	int place = land(scene, ip);

	if (place != (int)group_slot_of(scene->group, &source))
		fail_msg("%s came to %d", ip, place);
}

/* ---- Ranges ----------------------------------------------------------------------------- */

/* Check which clients arrive at dispatchers, and which at a slot of their own. */
static void check_sides(struct scene *scene, const char *const *proxies, size_t proxy_count,
			const char *const *clients, size_t client_count)
{
	size_t i;

	for (i = 0; i < proxy_count; i++)
		check_dispatched(scene, proxies[i]);
	for (i = 0; i < client_count; i++)
		check_own_slot(scene, clients[i]);
}

static void check_v4_ranges(struct scene *scene)
{
	static const char *const proxies[] = {"127.1.0.0", "127.1.0.9",	  "127.1.0.15",
					      "127.2.0.7", "127.128.0.0", "127.255.255.254"};
	static const char *const clients[] = {"127.1.0.16", "127.0.255.255", "127.2.0.6",
					      "127.2.0.8",  "127.127.1.1",   "127.0.0.1"};
	const struct sticky_prefix list[] = {range("127.1.0.0", 28), range("127.1.0.8", 29),
					     range("127.1.0.9", 32), range("127.2.0.7", 32),
					     range("127.128.0.0", 9)};

	set_proxies(scene, list, COUNT(list));
	check_sides(scene, proxies, COUNT(proxies), clients, COUNT(clients));
}

static void v4_proxies_come_to_the_dispatchers(void **state)
{
	struct scene scene = begin("127.0.0.1:0", 2);
	struct sticky_counters counters;

	(void)state;
	check_v4_ranges(&scene);
	counters = group_counters(scene.group);
	assert_int_equal(counters.dispatched, 6);
	assert_int_equal(counters.steered, 6);
	assert_int_equal(counters.dropped + counters.empty_slot + counters.migrated, 0);
	end(&scene);
}

static void check_v6_ranges(struct scene *scene)
{
	static const char *const proxies[] = {"2001:db8:5::", "2001:db8:5:ffff:ffff:ffff:ffff:ffff",
					      "2001:db8:7::2"};
	static const char *const clients[] = {"2001:db8:4:ffff:ffff:ffff:ffff:ffff",
					      "2001:db8:6::", "2001:db8:7::1", "2001:db8:7::3",
					      "::1"};
	const struct sticky_prefix list[] = {range("2001:db8:5::", 48), range("2001:db8:5:1::", 64),
					     range("2001:db8:7::2", 128)};

	set_proxies(scene, list, COUNT(list));
	check_sides(scene, proxies, COUNT(proxies), clients, COUNT(clients));
}

static void v6_proxies_come_to_the_dispatchers(void **state)
{
	struct scene scene;

	(void)state;
	if (group_lacks_v6())
		skip();
	scene = begin("[::1]:0", 2);
	check_v6_ranges(&scene);
	end(&scene);
}

static void a_dual_stack_listener_knows_both_kinds_of_proxies(void **state)
{
	struct scene scene;

	(void)state;
	if (group_lacks_v6())
		skip();
	scene = begin(":0", 2);
	check_v4_ranges(&scene);
	check_v6_ranges(&scene);
	check_own_slot(&scene, "127.1.0.0"); /* this address is not in the last list */
	end(&scene);
}

static void everybody_may_be_a_proxy(void **state)
{
	struct sticky_prefix all_v4 = range("0.0.0.0", 0), all = range("::", 0);
	struct scene scene;

	(void)state;
	if (group_lacks_v6())
		skip();
	scene = begin(":0", 2);
	set_proxies(&scene, &all_v4, 1);
	check_dispatched(&scene, "127.0.0.1");
	check_dispatched(&scene, "127.254.3.2");
	check_own_slot(&scene, "2001:db8::1");
	check_own_slot(&scene, "::1");
	/* ::/0 contains the IPv4 addresses, too, as v4-mapped ones. */
	set_proxies(&scene, &all, 1);
	check_dispatched(&scene, "127.0.0.1");
	check_dispatched(&scene, "2001:db8::1");
	set_proxies(&scene, NULL, 0);
	check_own_slot(&scene, "127.0.0.1");
	check_own_slot(&scene, "2001:db8::1");
	end(&scene);
}

/* ---- Dispatchers -------------------------------------------------------------------------- */

static void connections_are_spread_over_the_dispatchers(void **state)
{
	struct sticky_prefix proxy = range("127.0.0.9", 32);
	struct sockaddr_storage source = address_of("127.0.0.9", 0);
	struct scene scene = {.group = group_start(SLOTS, "127.0.0.1:0")};
	uint32_t counts[SLOTS + 4] = {0}, i;

	(void)state;
	assert_int_equal(sticky_group_listen(scene.group, "127.0.0.1:0"), 1);
	workers_start(scene.group, scene.workers);
	open_dispatchers(&scene, 4);
	set_proxies(&scene, &proxy, 1);
	for (i = 0; i < MANY; i++)
		counts[land_at(&scene, i % 2, &source)]++;
	for (i = 0; i < SLOTS; i++)
		assert_int_equal(counts[i], 0);
	for (; i < SLOTS + 4; i++)
		assert_in_range(counts[i], MANY / 10, MANY / 2);
	assert_int_equal(group_counters(scene.group).dispatched, MANY);
	end(&scene);
}

static void as_many_as_may_be_get_some(void **state)
{
	struct sticky_prefix proxy = range("127.0.0.9", 32);
	struct sockaddr_storage source = address_of("127.0.0.9", 0);
	struct scene scene = begin("127.0.0.1:0", STICKY_DISPATCHERS_LIMIT);
	uint32_t counts[SLOTS + STICKY_DISPATCHERS_LIMIT] = {0}, i;

	(void)state;
	set_proxies(&scene, &proxy, 1);
	for (i = 0; i < 500; i++)
		counts[land_at(&scene, 0, &source)]++;
	for (i = SLOTS; i < SLOTS + STICKY_DISPATCHERS_LIMIT; i++)
		assert_true(counts[i] > 0);
	end(&scene);
}

static void a_dispatchers_socket_never_blocks(void **state)
{
	struct scene scene = begin("127.0.0.1:0", 2);
	uint32_t i;
	int on = 0;
	socklen_t length = sizeof(on);

	(void)state;
	for (i = 0; i < 2; i++) {
		int fd = sticky_dispatchers_fd(scene.dispatchers, i, 0);

		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &on, &length), 0);
		assert_int_equal(on, 1);
		assert_int_equal(accept(fd, NULL, NULL), -1);
		assert_int_equal(errno, EAGAIN);
	}
	assert_int_equal(sticky_dispatchers_fd(scene.dispatchers, 2, 0), -EINVAL);
	assert_int_equal(sticky_dispatchers_fd(scene.dispatchers, 0, 1), -EINVAL);
	assert_int_equal(sticky_dispatchers_fd(scene.dispatchers, UINT32_MAX, 0), -EINVAL);
	assert_int_equal(sticky_dispatchers_fd(scene.dispatchers, 0, STICKY_LISTENERS_LIMIT),
			 -EINVAL);
	assert_int_equal(sticky_dispatchers_fd(scene.dispatchers, 0, UINT32_MAX), -EINVAL);
	end(&scene);
}

static void what_can_not_be_opened_is_refused(void **state)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_dispatchers *untouched = (void *)&options, *dispatchers = untouched;
	struct sticky_group *group;

	(void)state;
	assert_int_equal(sticky_group_open(&options, &group), 0);
	assert_int_equal(sticky_dispatchers_open(group, 1, &dispatchers), -EDESTADDRREQ);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), 0);
	assert_int_equal(sticky_dispatchers_open(group, 0, &dispatchers), -EINVAL);
	assert_int_equal(sticky_dispatchers_open(group, STICKY_DISPATCHERS_LIMIT + 1, &dispatchers),
			 -EINVAL);
	assert_int_equal(sticky_dispatchers_open(group, UINT32_MAX, &dispatchers), -EINVAL);
	assert_ptr_equal(dispatchers, untouched);
	assert_int_equal(sticky_dispatchers_open(group, 1, &dispatchers), 0);
	assert_int_equal(sticky_dispatchers_open(group, 1, &untouched), -EBUSY);
	assert_int_equal(sticky_group_listen(group, "127.0.0.1:0"), -EBUSY);
	sticky_dispatchers_close(dispatchers);
	sticky_dispatchers_close(NULL);
	assert_int_equal(sticky_group_refuse(group), 0);
	assert_int_equal(sticky_dispatchers_open(group, 1, &dispatchers), -ESHUTDOWN);
	sticky_group_close(group);
}

static void running_out_of_descriptors_leaves_none_behind(void **state)
{
	struct scene scene = begin("127.0.0.1:0", 0);
	struct sticky_prefix proxy = range("127.0.0.9", 32);
	uint32_t before = descriptors_count(), more;
	int result = -1;

	(void)state;
	set_proxies(&scene, &proxy, 1);
	for (more = 0; result; more++) {
		descriptors_limit(more);
		result = sticky_dispatchers_open(scene.group, 4, &scene.dispatchers);
		descriptors_unlimit();
		assert_true(result == 0 || result == -EMFILE);
		if (result)
			assert_int_equal(descriptors_count(), before);
		if (result)
			check_own_slot(&scene, "127.0.0.9"); /* there is no listener yet */
	}
	assert_int_equal(more, 5);
	scene.count = 4;
	check_dispatched(&scene, "127.0.0.9");
	close_dispatchers(&scene);
	assert_int_equal(descriptors_count(), before);
	end(&scene);
}

/* ---- Without a dispatcher ------------------------------------------------------------------ */

static void a_proxy_without_a_dispatcher_may_go_direct_or_not(void **state)
{
	struct sticky_prefix proxy = range("127.0.0.9", 32);
	struct scene scene = begin("127.0.0.1:0", 2);

	(void)state;
	set_proxies(&scene, &proxy, 1);
	check_dispatched(&scene, "127.0.0.9");
	close_dispatchers(&scene);
	check_own_slot(&scene, "127.0.0.9");
	assert_int_equal(group_counters(scene.group).dropped, 0);

	assert_int_equal(sticky_group_set_proxies(scene.group, &proxy, 1, false), 0);
	assert_int_equal(land(&scene, "127.0.0.9"), -ECONNREFUSED);
	assert_int_equal(land(&scene, "127.0.0.9"), -ECONNREFUSED);
	check_own_slot(&scene, "127.0.0.8");
	assert_int_equal(group_counters(scene.group).dropped, 2);
	assert_int_equal(group_counters(scene.group).dropped_empty, 2);

	open_dispatchers(&scene, 1);
	check_dispatched(&scene, "127.0.0.9");
	assert_int_equal(group_counters(scene.group).dispatched, 2);
	end(&scene);
}

/* A process that has some of the dispatchers dies. The other dispatchers take over. */
static void another_dispatcher_gets_what_one_that_is_gone_would(void **state)
{
	struct sticky_prefix proxy = range("127.0.0.9", 32);
	struct scene scene = begin("127.0.0.1:0", 4);
	uint32_t i;

	(void)state;
	assert_int_equal(sticky_group_set_proxies(scene.group, &proxy, 1, false), 0);
	for (i = 0; i < 3; i++) /* none of them listens, and none is in the map */
		assert_int_equal(
			shutdown(sticky_dispatchers_fd(scene.dispatchers, i, 0), SHUT_RDWR), 0);
	for (i = 0; i < 20; i++) {
		struct sockaddr_storage source = address_of("127.0.0.9", 0),
					server = group_server(scene.group, 0, AF_INET);
		int client = client_connect(&source, &server), fd;

		assert_true(client >= 0);
		fd = client_accept(sticky_dispatchers_fd(scene.dispatchers, 3, 0));
		assert_true(is_peer(fd, client));
		close(fd);
		close(client);
	}
	assert_int_equal(group_counters(scene.group).dropped, 0);
	end(&scene);
}

/*
 * A dispatcher must accept its connections before it is closed. Otherwise they go directly to a
 * slot if that is allowed, and are reset if not.
 */
static void what_a_dispatcher_leaves_has_no_other_dispatcher(void **state)
{
	struct sticky_prefix proxy = range("127.0.0.9", 32);
	struct sockaddr_storage source = address_of("127.0.0.9", 0), server;
	struct scene scene = begin("127.0.0.1:0", 2);
	uint32_t number;
	int client;

	(void)state;
	server = group_server(scene.group, 0, AF_INET);
	set_proxies(&scene, &proxy, 1);
	client = client_connect(&source, &server);
	close_dispatchers(&scene);
	assert_int_equal(take(&scene, 0, client), group_slot_of(scene.group, &source));
	assert_int_equal(group_counters(scene.group).migrated, 1);
	close(client);

	open_dispatchers(&scene, 2);
	assert_int_equal(sticky_group_set_proxies(scene.group, &proxy, 1, false), 0);
	client = client_connect(&source, &server);
	close_dispatchers(&scene);
	assert_int_equal(number_receive(client, &number), -ECONNRESET);
	close(client);
	end(&scene);
}

/*
 * Check that a client moves to a dispatcher. It was queued at a worker before its address was in
 * the list of proxies. When its queue moves, the program finds the address in the list.
 */
static void check_moves_to_dispatcher(const char *address, const char *ip, uint32_t bits)
{
	struct sockaddr_storage source = address_of(ip, 0), server;
	struct sticky_prefix proxy = range(ip, bits);
	struct scene scene = begin(address, 2);
	uint32_t slot = group_slot_of(scene.group, &source);
	int client;

	server = group_server(scene.group, 0, source.ss_family);
	client = client_connect(&source, &server);
	assert_true(client >= 0);
	assert_int_equal(group_wait_queue(scene.group, slot, 1), 0);
	set_proxies(&scene, &proxy, 1);
	assert_int_equal(sticky_worker_close(scene.workers[slot]), 0);
	scene.workers[slot] = worker_start(scene.group, slot);
	assert_true(take(&scene, 0, client) >= SLOTS);
	assert_int_equal(group_counters(scene.group).dispatched, 1);
	close(client);
	end(&scene);
}

static void a_queue_that_moves_is_looked_at_again(void **state)
{
	(void)state;
	check_moves_to_dispatcher("127.0.0.1:0", "127.9.8.7", 32);
	if (group_lacks_v6())
		skip();
	check_moves_to_dispatcher("[::1]:0", "2001:db8:9::1", 128);
	check_moves_to_dispatcher(":0", "2001:db8:9::1", 48);
	check_moves_to_dispatcher(":0", "127.9.8.7", 24);
}

/* ---- Samples, and the end ------------------------------------------------------------------ */

static uint32_t count_samples(struct scene *scene, uint32_t connections)
{
	uint32_t i, samples = 0;

	for (i = 0; i < connections; i++) {
		struct sockaddr_storage source = client_address(AF_INET, i);
		int place = land_at(scene, 0, &source);

		samples += place >= SLOTS;
		if (place < SLOTS)
			assert_int_equal(place, group_slot_of(scene->group, &source));
	}
	return samples;
}

static void some_of_the_others_are_looked_at(void **state)
{
	struct scene scene = begin("127.0.0.1:0", 2);
	struct sticky_counters counters;

	(void)state;
	assert_int_equal(count_samples(&scene, 50), 0);
	assert_int_equal(sticky_group_set_sample(scene.group, 2), 0);
	assert_in_range(count_samples(&scene, 400), 100, 300); /* 10 standard deviations */
	assert_int_equal(sticky_group_set_sample(scene.group, 1u << 31), 0);
	assert_in_range(count_samples(&scene, 50), 0, 1);
	assert_int_equal(sticky_group_set_sample(scene.group, 0), 0);
	assert_int_equal(count_samples(&scene, 50), 0);
	counters = group_counters(scene.group);
	assert_int_equal(counters.steered + counters.dispatched, 550);
	assert_int_equal(counters.dropped, 0);
	/* Without a dispatcher no client is lost because it was chosen as a sample. */
	assert_int_equal(sticky_group_set_sample(scene.group, 2), 0);
	assert_int_equal(sticky_group_set_proxies(scene.group, NULL, 0, false), 0);
	close_dispatchers(&scene);
	assert_int_equal(count_samples(&scene, 50), 0);
	end(&scene);
}

static void a_sample_is_one_in_a_power_of_two(void **state)
{
	static const uint32_t bad[] = {1, 3, 5, 6, 7, 100, UINT32_MAX, (1u << 31) + 1};
	struct scene scene = begin("127.0.0.1:0", 1);
	size_t i;

	(void)state;
	assert_int_equal(sticky_group_set_sample(scene.group, 0), 0);
	for (i = 0; i < COUNT(bad); i++)
		assert_int_equal(sticky_group_set_sample(scene.group, bad[i]), -EINVAL);
	assert_int_equal(count_samples(&scene, 20), 0);
	end(&scene);
}

static void a_sample_that_was_queued_at_a_dispatcher_goes_to_its_slot(void **state)
{
	struct scene scene = begin("127.0.0.1:0", 1);
	struct sockaddr_storage source, server = group_server(scene.group, 0, AF_INET);
	uint32_t number = group_client_of_slot(scene.group, AF_INET, SLOT, 0);
	int client = -1;

	(void)state;
	source = client_address(AF_INET, number);
	assert_int_equal(sticky_group_set_sample(scene.group, 2), 0);
	do {
		if (client >= 0) {
			assert_int_equal(take(&scene, 0, client), SLOT);
			close(client);
		}
		client = client_connect(&source, &server);
		assert_true(client >= 0);
	} while (!arrives_at_dispatcher(&scene, 0));
	close_dispatchers(&scene);
	assert_int_equal(take(&scene, 0, client), SLOT);
	close(client);
	end(&scene);
}

/* A worker's queue moves to the next worker as a whole: the program chooses no samples of it. */
static void a_queue_that_moves_is_no_sample(void **state)
{
	struct scene scene = begin("127.0.0.1:0", 2);
	struct sockaddr_storage server = group_server(scene.group, 0, AF_INET);
	uint32_t number = group_client_of_slot(scene.group, AF_INET, SLOT, 0);
	struct sockaddr_storage source = client_address(AF_INET, number);
	int clients[20];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(clients); i++)
		clients[i] = client_connect(&source, &server);
	assert_int_equal(sticky_group_set_sample(scene.group, 2), 0);
	assert_int_equal(sticky_worker_close(scene.workers[SLOT]), 0);
	scene.workers[SLOT] = worker_start(scene.group, SLOT);
	for (i = 0; i < COUNT(clients); i++)
		assert_int_equal(take(&scene, 0, clients[i]), SLOT);
	assert_int_equal(group_counters(scene.group).dispatched, 0);
	close_all(clients, COUNT(clients));
	end(&scene);
}

static void refusing_is_for_proxies_too(void **state)
{
	struct sticky_prefix proxy = range("127.0.0.9", 32);
	struct sockaddr_storage source = address_of("127.0.0.9", 0), server;
	struct scene scene = begin("127.0.0.1:0", 2);
	int client;

	(void)state;
	server = group_server(scene.group, 0, AF_INET);
	set_proxies(&scene, &proxy, 1);
	assert_int_equal(sticky_group_set_sample(scene.group, 2), 0);
	client = client_connect(&source, &server);
	assert_int_equal(sticky_group_refuse(scene.group), 0);
	assert_int_equal(land(&scene, "127.0.0.9"), -ECONNREFUSED);
	assert_int_equal(land(&scene, "127.0.0.8"), -ECONNREFUSED);
	assert_int_equal(group_counters(scene.group).dropped, 2);
	/* Connections that are queued already must still be served. */
	assert_true(take(&scene, 0, client) >= SLOTS);
	close(client);
	end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v4_proxies_come_to_the_dispatchers),
		cmocka_unit_test(v6_proxies_come_to_the_dispatchers),
		cmocka_unit_test(a_dual_stack_listener_knows_both_kinds_of_proxies),
		cmocka_unit_test(everybody_may_be_a_proxy),
		cmocka_unit_test(connections_are_spread_over_the_dispatchers),
		cmocka_unit_test(as_many_as_may_be_get_some),
		cmocka_unit_test(a_dispatchers_socket_never_blocks),
		cmocka_unit_test(what_can_not_be_opened_is_refused),
		cmocka_unit_test(running_out_of_descriptors_leaves_none_behind),
		cmocka_unit_test(a_proxy_without_a_dispatcher_may_go_direct_or_not),
		cmocka_unit_test(another_dispatcher_gets_what_one_that_is_gone_would),
		cmocka_unit_test(what_a_dispatcher_leaves_has_no_other_dispatcher),
		cmocka_unit_test(a_queue_that_moves_is_looked_at_again),
		cmocka_unit_test(some_of_the_others_are_looked_at),
		cmocka_unit_test(a_sample_is_one_in_a_power_of_two),
		cmocka_unit_test(a_sample_that_was_queued_at_a_dispatcher_goes_to_its_slot),
		cmocka_unit_test(a_queue_that_moves_is_no_sample),
		cmocka_unit_test(refusing_is_for_proxies_too),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	descriptors_unlimit();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
