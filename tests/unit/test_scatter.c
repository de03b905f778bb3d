// SPDX-License-Identifier: MIT
/*
 * Clients are spread evenly over the slots, whatever their addresses have in common. All seeds are
 * fixed: the results are the same in each run.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "bpf/select.h"
#include "engine/table.h"

#define CLIENTS 100000
#define SLOTS	10

/* Chi-square with 9 degrees of freedom exceeds this once in 1,000 by chance. */
#define CHI_SQUARE_LIMIT 27.877

static uint16_t table[STICKY_BUCKETS];

static int fill_table(void **state)
{
	(void)state;
	table_fill(SLOTS, table);
	return 0;
}

static struct sticky_settings settings_of(uint32_t seed)
{
	struct sticky_settings settings = {
		.slots = SLOTS,
		.hash_seed = {seed, ~seed},
		.v4_mask = 0xffffffff,
		.v6_mask = {0xffffffff, 0xffffffff, 0, 0},
	};

	return settings;
}

/* Compute the key of a client from its number. */
typedef void client_fn(const struct sticky_settings *settings, uint32_t number,
		       struct sticky_key *ret_key);

/*
 * A bijective mix (the finalizer of splitmix, 32 bits): different numbers give different addresses.
 */
static uint32_t mix(uint32_t x)
{
	x = (x ^ x >> 16) * 0x21f0aaadu;
	x = (x ^ x >> 15) * 0x735a2d97u;
	return x ^ x >> 15;
}

static void random_v4(const struct sticky_settings *settings, uint32_t number,
		      struct sticky_key *ret_key)
{
	sticky_key_v4(settings, htonl(mix(number)), ret_key);
}

static void sequential_v4(const struct sticky_settings *settings, uint32_t number,
			  struct sticky_key *ret_key)
{
	sticky_key_v4(settings, htonl(0x0a000000 + number), ret_key);
}

/*
 * Addresses of a provider's customers, one after the other: 2001:db8:0:0::1, 2001:db8:0:1::1, ...
 */
static void sequential_v6(const struct sticky_settings *settings, uint32_t number,
			  struct sticky_key *ret_key)
{
	uint32_t words[4] = {htonl(0x20010db8), htonl(number), 0, htonl(1)};

	sticky_key_v6(settings, words, ret_key);
}

static uint32_t slot_of(const struct sticky_settings *settings, client_fn *client, uint32_t number)
{
	struct sticky_key key;

	client(settings, number, &key);
	return table[sticky_hash_bucket(sticky_key_hash(settings, &key))];
}

static double chi_square(const uint32_t *counts)
{
	double sum = 0;
	uint32_t slot;

	for (slot = 0; slot < SLOTS; slot++) {
		double expected = (double)CLIENTS * table_share(SLOTS, slot) / STICKY_BUCKETS;
		double off = counts[slot] - expected;

		sum += off * off / expected;
	}
	return sum;
}

static double scatter(uint32_t seed, client_fn *client)
{
	struct sticky_settings settings = settings_of(seed);
	uint32_t counts[SLOTS] = {0}, number;

	for (number = 0; number < CLIENTS; number++)
		counts[slot_of(&settings, client, number)]++;
	return chi_square(counts);
}

static void check_scatter(client_fn *client)
{
	static const uint32_t seeds[] = {1, 0x5eed, 0xdeadbeef};
	size_t i;

	for (i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		double found = scatter(seeds[i], client);

		if (found > CHI_SQUARE_LIMIT)
			fail_msg("seed %u: chi-square is %.1f", seeds[i], found);
	}
}

static void random_v4_clients_scatter(void **state)
{
	(void)state;
	check_scatter(random_v4);
}

static void sequential_v4_clients_scatter(void **state)
{
	(void)state;
	check_scatter(sequential_v4);
}

static void sequential_v6_networks_scatter(void **state)
{
	(void)state;
	check_scatter(sequential_v6);
}

/*
 * Show the fault by the same measure: the addresses are every 16th one (one host in each rack), and
 * the slot is the address modulo the number of slots.
 */
static void a_plain_modulo_does_not_scatter(void **state)
{
	uint32_t counts[SLOTS] = {0}, number;

	(void)state;
	for (number = 0; number < CLIENTS; number++)
		counts[(0x0a000000 + 16 * number) % SLOTS]++;
	assert_true(chi_square(counts) > 100 * CHI_SQUARE_LIMIT);
}

/* Two clients that share a slot under one seed share it under the next seed only by chance. */
static void two_seeds_agree_no_more_than_by_chance(void **state)
{
	struct sticky_settings one = settings_of(0x1111), other = settings_of(0x1112);
	double expected = (double)CLIENTS / SLOTS;
	double variance = expected * (1 - 1.0 / SLOTS);
	uint32_t same = 0, number;
	double off;

	(void)state;
	for (number = 0; number < CLIENTS; number++)
		same += slot_of(&one, sequential_v4, number) ==
			slot_of(&other, sequential_v4, number);
	off = same - expected;
	if (off * off > 25 * variance)
		fail_msg("%u of %u agree: more than 5 sigma off", same, CLIENTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_v4_clients_scatter),
		cmocka_unit_test(sequential_v4_clients_scatter),
		cmocka_unit_test(sequential_v6_networks_scatter),
		cmocka_unit_test(a_plain_modulo_does_not_scatter),
		cmocka_unit_test(two_seeds_agree_no_more_than_by_chance),
	};

	return cmocka_run_group_tests(tests, fill_table, NULL);
}
