// SPDX-License-Identifier: MIT
/* Each connection goes to the slot that sticky_group_where() names. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/clients.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "sticky.h"

#define SLOTS	    8
#define CLIENTS	    4096
#define CONNECTIONS 2 /* number for each client; those of one client do not follow each other */
#define NETWORKS    64

/* Connect once. Returns the slot of the worker that got the connection. */
static uint32_t connect_once(struct sticky_worker *const *workers, uint32_t listener,
			     const struct sockaddr_storage *source,
			     const struct sockaddr_storage *server)
{
	uint32_t worker = UINT32_MAX;
	int client = client_connect(source, server), accepted;

	assert_true(client >= 0);
	accepted = workers_accept(workers, SLOTS, listener, &worker);
	assert_true(accepted >= 0);
	assert_true(is_peer(accepted, client));
	close(accepted);
	close(client);
	return sticky_worker_slot(workers[worker]);
}

/*
 * Connect many clients several times each, and check their slots. Fills in how many connections
 * each slot got.
 */
static void check_clients(struct sticky_group *group, struct sticky_worker *const *workers,
			  uint32_t listener, const struct sockaddr_storage *server,
			  uint32_t *ret_got)
{
	uint32_t number;

	for (number = 0; number < CONNECTIONS * CLIENTS; number++) {
		struct sockaddr_storage client =
			client_address(server->ss_family, number % CLIENTS);
		uint32_t slot = connect_once(workers, listener, &client, server);

		assert_int_equal(slot, group_slot_of(group, &client));
		ret_got[slot]++;
	}
}

static void check_counters(struct sticky_group *group, const uint32_t *got)
{
	struct sticky_counters counters = group_counters(group);
	uint64_t connections = 0, steered = 0;
	uint32_t slot;

	for (slot = 0; slot < SLOTS; slot++) {
		struct sticky_slot_info info = group_slot_info(group, slot);

		assert_true(got[slot] > 0);
		assert_int_equal(info.steered, got[slot]);
		assert_int_equal(info.queue, 0);
		assert_int_equal(info.overflows, 0);
		steered += info.steered;
		connections += got[slot];
	}
	assert_int_equal(counters.steered, connections);
	assert_int_equal(counters.steered, steered);
	assert_int_equal(counters.dropped, 0);
	assert_int_equal(counters.empty_slot, 0);
	assert_int_equal(counters.migrated, 0);
}

static void check_group(const char *address, sa_family_t family)
{
	struct sticky_group *group = group_start(SLOTS, address);
	struct sticky_worker *workers[SLOTS];
	struct sockaddr_storage server = group_server(group, 0, family);
	uint32_t got[SLOTS] = {0};

	workers_start(group, workers);
	check_clients(group, workers, 0, &server, got);
	check_counters(group, got);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void v4_clients_keep_their_slot(void **state)
{
	(void)state;
	check_group("127.0.0.1:0", AF_INET);
}

static void v6_clients_keep_their_slot(void **state)
{
	(void)state;
	if (group_lacks_v6())
		skip();
	check_group("[::1]:0", AF_INET6);
}

static void v4_clients_keep_their_slot_on_any_v4_address(void **state)
{
	(void)state;
	check_group("0.0.0.0:0", AF_INET);
}

static void v4_clients_keep_their_slot_on_a_dual_stack_listener(void **state)
{
	(void)state;
	if (group_lacks_v6())
		skip();
	check_group(":0", AF_INET);
}

static void v6_clients_keep_their_slot_on_a_dual_stack_listener(void **state)
{
	(void)state;
	if (group_lacks_v6())
		skip();
	check_group(":0", AF_INET6);
}

static void two_listeners_agree(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sockaddr_storage first = group_server(group, 0, AF_INET), second;
	struct sticky_worker *workers[SLOTS];
	uint32_t got[SLOTS] = {0};

	(void)state;
	assert_int_equal(sticky_group_listen(group, "127.0.0.2:0"), 1);
	assert_int_equal(sticky_group_listener_count(group), 2);
	second = address_of("127.0.0.2", group_port(group, 1));
	workers_start(group, workers);
	check_clients(group, workers, 0, &first, got);
	check_clients(group, workers, 1, &second, got);
	check_counters(group, got);
	workers_close(group, workers);
	sticky_group_close(group);
}

/* Check that all clients of one network have the same slot. More than one network is tried. */
static void check_networks(uint32_t v4_prefix, uint32_t v6_prefix, sa_family_t family,
			   uint32_t step)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_worker *workers[SLOTS];
	struct sockaddr_storage server;
	struct sticky_group *group;
	uint32_t network, host, seen = 0;

	options.v4_prefix = v4_prefix;
	options.v6_prefix = v6_prefix;
	assert_int_equal(sticky_group_open(&options, &group), 0);
	assert_int_equal(sticky_group_listen(group, family == AF_INET ? "127.0.0.1:0" : "[::1]:0"),
			 0);
	server = group_server(group, 0, family);
	workers_start(group, workers);
	for (network = 0; network < NETWORKS; network++) {
		struct sockaddr_storage first = client_address(family, network * step);
		uint32_t slot = group_slot_of(group, &first);

		seen |= 1u << slot;
		for (host = 0; host < step; host += step / 32) {
			struct sockaddr_storage client =
				client_address(family, network * step + host);

			assert_int_equal(connect_once(workers, 0, &client, &server), slot);
		}
	}
	assert_int_equal(seen, (1u << SLOTS) - 1);
	workers_close(group, workers);
	sticky_group_close(group);
}

static void a_v4_prefix_keeps_a_network_together(void **state)
{
	(void)state;
	check_networks(24, 0, AF_INET, 256);
}

static void a_v6_prefix_keeps_a_network_together(void **state)
{
	(void)state;
	if (group_lacks_v6())
		skip();
	check_networks(0, 48, AF_INET6, 65536);
}

/* Show the fault in the same network: the kernel's own hash includes the client's port. */
static void plain_reuseport_does_not_keep_a_client(void **state)
{
	struct sockaddr_storage server = address_of("127.0.0.1", 0);
	struct sockaddr_storage client = client_address(AF_INET, 0);
	int one = plain_listen(&server, SO_REUSEPORT);
	int other = plain_listen(&server, SO_REUSEPORT);
	int clients[32], i;

	(void)state;
	for (i = 0; i < 32; i++) {
		clients[i] = client_connect(&client, &server);
		assert_true(clients[i] >= 0);
	}
	assert_false(nothing_waits(one));
	assert_false(nothing_waits(other));
	close_all(clients, 32);
	close(one);
	close(other);
}

static void where_tells_the_key(void **state)
{
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0");
	struct sockaddr_storage v6 = address_of("2001:db8:1:2:3:4:5:6", 80);
	struct sockaddr_storage mapped = address_of("::ffff:203.0.113.9", 80);
	struct sockaddr_storage v4 = address_of("203.0.113.9", 80);
	struct sticky_where where = {.size = sizeof(where)}, same = {.size = sizeof(same)};
	struct sockaddr local = {.sa_family = AF_UNIX};

	(void)state;
	assert_int_equal(sticky_group_where(group, (void *)&v6, &where), 0);
	assert_string_equal(where.key, "2001:db8:1:2::/64");
	assert_int_equal(sticky_group_where(group, (void *)&mapped, &where), 0);
	assert_string_equal(where.key, "203.0.113.9/32");
	assert_int_equal(sticky_group_where(group, (void *)&v4, &same), 0);
	assert_memory_equal(&where, &same, sizeof(where));
	assert_in_range(where.slot, 0, SLOTS - 1);
	assert_in_range(where.bucket, 0, STICKY_BUCKET_COUNT - 1);

	assert_int_equal(sticky_group_where(group, &local, &where), -EAFNOSUPPORT);
	where.size = offsetof(struct sticky_where, slot);
	assert_int_equal(sticky_group_where(group, (void *)&v4, &where), -EINVAL);
	sticky_group_close(group);
}

/* After a restart with a stored seed, clients keep their worker. */
static void one_seed_gives_one_answer(void **state)
{
	static const uint8_t seed[STICKY_SEED_SIZE] = "another";
	struct sticky_group_options options = group_options(SLOTS);
	struct sticky_group *group = group_start(SLOTS, "127.0.0.1:0"), *same, *other;
	uint32_t number, agree = 0;

	(void)state;
	assert_int_equal(sticky_group_open(&options, &same), 0);
	options.seed = seed;
	assert_int_equal(sticky_group_open(&options, &other), 0);
	assert_int_equal(sticky_group_seed_id(group), sticky_group_seed_id(same));
	assert_int_not_equal(sticky_group_seed_id(group), sticky_group_seed_id(other));
	for (number = 0; number < 1000; number++) {
		struct sockaddr_storage client = client_address(AF_INET6, number);
		uint32_t slot = group_slot_of(group, &client);

		assert_int_equal(group_slot_of(same, &client), slot);
		agree += group_slot_of(other, &client) == slot;
	}
	assert_in_range(agree, 1000 / SLOTS / 2, 1000 / SLOTS * 2);
	sticky_group_close(group);
	sticky_group_close(same);
	sticky_group_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v4_clients_keep_their_slot),
		cmocka_unit_test(v6_clients_keep_their_slot),
		cmocka_unit_test(v4_clients_keep_their_slot_on_any_v4_address),
		cmocka_unit_test(v4_clients_keep_their_slot_on_a_dual_stack_listener),
		cmocka_unit_test(v6_clients_keep_their_slot_on_a_dual_stack_listener),
		cmocka_unit_test(two_listeners_agree),
		cmocka_unit_test(a_v4_prefix_keeps_a_network_together),
		cmocka_unit_test(a_v6_prefix_keeps_a_network_together),
		cmocka_unit_test(plain_reuseport_does_not_keep_a_client),
		cmocka_unit_test(where_tells_the_key),
		cmocka_unit_test(one_seed_gives_one_answer),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
