// SPDX-License-Identifier: MIT
/* Clients by their number of open connections. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "api/client_ranking.h"

#define ALL CLIENT_OF_NO_SLOT

static void add(struct client_addresses *addresses, const char *text, int times)
{
	struct sockaddr_storage address;

	assert_int_equal(sticky_address_parse(text, &address), 0);
	while (times-- > 0)
		assert_int_equal(client_addresses_add(addresses, (const void *)&address), 0);
}

/*
 * Make the key of a client: the /24 or the /64 of its address. The slot is the last byte of the
 * key. A proxy has an address of 10.0.0.0/8.
 */
static int key_of(void *context, const struct sockaddr *address, struct client_key *ret_key)
{
	const struct sockaddr_in6 *v6 = (const void *)address;
	const struct sockaddr_in *v4 = (const void *)address;
	const uint8_t *bytes = (const void *)&v4->sin_addr;
	unsigned int *calls = context;

	++*calls;
	if (address->sa_family == AF_INET) {
		snprintf(ret_key->text, sizeof(ret_key->text), "%u.%u.%u.0/24", bytes[0], bytes[1],
			 bytes[2]);
		ret_key->slot = bytes[0] == 10 ? CLIENT_OF_NO_SLOT : bytes[2];
		return 0;
	}
	bytes = v6->sin6_addr.s6_addr;
	snprintf(ret_key->text, sizeof(ret_key->text), "%02x%02x::/64", bytes[6], bytes[7]);
	ret_key->slot = bytes[7];
	return 0;
}

static void assert_client(const struct client_ranking *ranking, uint32_t place, const char *key,
			  uint32_t connections)
{
	assert_true(place < ranking->top_count);
	assert_string_equal(ranking->top[place].key.text, key);
	assert_int_equal(ranking->top[place].connections, connections);
}

static void none_is_an_empty_list(void **state)
{
	struct client_addresses addresses = {0};
	struct client_ranking ranking;
	unsigned int calls = 0;

	(void)state;
	assert_int_equal(client_ranking_make(&addresses, ALL, 20, key_of, &calls, &ranking), 0);
	assert_int_equal(ranking.top_count, 0);
	assert_int_equal(ranking.keys, 0);
	assert_int_equal(ranking.connections, 0);
	client_ranking_fini(&ranking);
	client_addresses_fini(&addresses);
}

static void addresses_of_a_key_count_together(void **state)
{
	struct client_addresses addresses = {0};
	struct client_ranking ranking;
	unsigned int calls = 0;

	(void)state;
	add(&addresses, "192.0.2.1", 2);
	add(&addresses, "2001:db8:0:1::7", 4);
	add(&addresses, "192.0.3.1", 1);
	add(&addresses, "::ffff:192.0.2.9", 3);
	add(&addresses, "2001:db8:0:1::1", 2);
	add(&addresses, "192.0.2.1", 1);
	assert_int_equal(client_ranking_make(&addresses, ALL, 20, key_of, &calls, &ranking), 0);
	assert_int_equal(calls, 5);
	assert_int_equal(ranking.keys, 3);
	assert_int_equal(ranking.connections, 13);
	assert_int_equal(ranking.of_slot[1], 6);
	assert_int_equal(ranking.of_slot[2], 6);
	assert_int_equal(ranking.of_slot[3], 1);
	assert_client(&ranking, 0, "192.0.2.0/24", 6);
	assert_client(&ranking, 1, "0001::/64", 6);
	assert_client(&ranking, 2, "192.0.3.0/24", 1);
	client_ranking_fini(&ranking);
	client_addresses_fini(&addresses);
}

/*
 * Written as IPv6 (::ffff:192.0.2.1), the IPv4 address would sort between ::1 and ::1:0:0:1. These
 * two belong to one key, ::/64, and must be counted together.
 */
static void families_do_not_part_a_key(void **state)
{
	struct client_addresses addresses = {0};
	struct client_ranking ranking;
	unsigned int calls = 0;

	(void)state;
	add(&addresses, "::1", 1);
	add(&addresses, "192.0.2.1", 1);
	add(&addresses, "::1:0:0:1", 1);
	assert_int_equal(client_ranking_make(&addresses, ALL, 20, key_of, &calls, &ranking), 0);
	assert_int_equal(ranking.keys, 2);
	assert_client(&ranking, 0, "0000::/64", 2);
	client_ranking_fini(&ranking);
	client_addresses_fini(&addresses);
}

static void only_the_first_are_kept(void **state)
{
	struct client_addresses addresses = {0};
	struct client_ranking ranking;
	unsigned int calls = 0;
	char text[32];
	int i;

	(void)state;
	for (i = 0; i < 50; i++) {
		snprintf(text, sizeof(text), "192.0.%d.1", i);
		add(&addresses, text, 1 + i * 7 % 50);
	}
	assert_int_equal(client_ranking_make(&addresses, ALL, 3, key_of, &calls, &ranking), 0);
	assert_int_equal(ranking.top_count, 3);
	assert_int_equal(ranking.keys, 50);
	assert_int_equal(ranking.connections, 50 * 51 / 2);
	assert_client(&ranking, 0, "192.0.7.0/24", 50);
	assert_client(&ranking, 1, "192.0.14.0/24", 49);
	assert_client(&ranking, 2, "192.0.21.0/24", 48);
	client_ranking_fini(&ranking);
	client_addresses_fini(&addresses);
}

static void one_slot_alone(void **state)
{
	struct client_addresses addresses = {0};
	struct client_ranking ranking;
	unsigned int calls = 0;

	(void)state;
	add(&addresses, "192.0.2.1", 3);
	add(&addresses, "198.51.2.1", 1);
	add(&addresses, "192.0.1.1", 9);
	add(&addresses, "10.0.2.1", 5);
	assert_int_equal(client_ranking_make(&addresses, 2, 20, key_of, &calls, &ranking), 0);
	assert_int_equal(ranking.keys, 2);
	assert_int_equal(ranking.connections, 18);
	assert_int_equal(ranking.proxied, 5);
	assert_int_equal(ranking.of_slot[2], 4);
	assert_client(&ranking, 0, "192.0.2.0/24", 3);
	assert_client(&ranking, 1, "198.51.2.0/24", 1);
	client_ranking_fini(&ranking);
	client_addresses_fini(&addresses);
}

static void proxies_belong_to_no_slot(void **state)
{
	struct client_addresses addresses = {0};
	struct client_ranking ranking;
	unsigned int calls = 0;

	(void)state;
	add(&addresses, "10.0.2.1", 5);
	assert_int_equal(client_ranking_make(&addresses, ALL, 1, key_of, &calls, &ranking), 0);
	assert_int_equal(ranking.top[0].key.slot, CLIENT_OF_NO_SLOT);
	assert_int_equal(ranking.of_slot[2], 0);
	client_ranking_fini(&ranking);
	client_addresses_fini(&addresses);
}

static int refuse(void *context, const struct sockaddr *address, struct client_key *ret_key)
{
	(void)context;
	(void)address;
	(void)ret_key;
	return -EAFNOSUPPORT;
}

static void an_error_ends_the_count(void **state)
{
	struct client_addresses addresses = {0};
	struct client_ranking ranking = {.keys = 77};

	(void)state;
	add(&addresses, "192.0.2.1", 1);
	assert_int_equal(client_ranking_make(&addresses, ALL, 20, refuse, NULL, &ranking),
			 -EAFNOSUPPORT);
	assert_int_equal(ranking.keys, 77);
	client_addresses_fini(&addresses);
}

static void the_number_of_connections_is_bounded(void **state)
{
	struct client_addresses addresses = {0};
	struct sockaddr_storage address;

	(void)state;
	add(&addresses, "192.0.2.1", CLIENT_CONNECTIONS_MAX);
	assert_int_equal(sticky_address_parse("192.0.2.2", &address), 0);
	assert_int_equal(client_addresses_add(&addresses, (const void *)&address), -E2BIG);
	assert_int_equal(addresses.count, CLIENT_CONNECTIONS_MAX);
	client_addresses_fini(&addresses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_is_an_empty_list),
		cmocka_unit_test(addresses_of_a_key_count_together),
		cmocka_unit_test(families_do_not_part_a_key),
		cmocka_unit_test(only_the_first_are_kept),
		cmocka_unit_test(one_slot_alone),
		cmocka_unit_test(proxies_belong_to_no_slot),
		cmocka_unit_test(an_error_ends_the_count),
		cmocka_unit_test(the_number_of_connections_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
