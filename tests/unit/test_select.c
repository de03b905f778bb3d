// SPDX-License-Identifier: MIT
/* From an address to its hash, and from the hash to the slots that are probed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "bpf/select.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * HalfSipHash-1-3 of the bytes 00 01 02 ... under the key 00 01 .. 07, for inputs of 0, 4, 8 ... 60
 * bytes. These are every fourth one of test_vectors_hsiphash (for 32-bit machines) in Linux's
 * lib/tests/siphash_kunit.c.
 */
static const uint32_t vectors[] = {
	0x5814c896, 0x7e059ea6, 0x577999b1, 0x6b28096c, 0x8b31d501, 0x911bb605,
	0x57150ad7, 0x0a4100d0, 0xbc6dda8d, 0x7c46fb7f, 0x05327eb2, 0x11795ab1,
	0x007783eb, 0xc368dda6, 0x53ecd77e, 0x88b4c4cc,
};

static void hash_gives_the_published_vectors(void **state)
{
	static const uint32_t seed[2] = {0x03020100, 0x07060504};
	uint8_t bytes[4 * COUNT(vectors)];
	uint32_t input[COUNT(vectors)], words;

	(void)state;
	for (words = 0; words < sizeof(bytes); words++)
		bytes[words] = (uint8_t)words;
	memcpy(input, bytes, sizeof(input));
	for (words = 0; words < COUNT(vectors); words++)
		assert_int_equal(sticky_halfsiphash13(seed, input, words), vectors[words]);
}

static void every_bit_of_the_seed_matters(void **state)
{
	static const uint32_t seed[2] = {0x03020100, 0x07060504};
	uint32_t address = htonl(0x7f000001), bit;
	uint32_t hash = sticky_halfsiphash13(seed, &address, 1);

	(void)state;
	for (bit = 0; bit < 64; bit++) {
		uint32_t other[2] = {seed[0], seed[1]};

		other[bit / 32] ^= 1u << bit % 32;
		assert_int_not_equal(sticky_halfsiphash13(other, &address, 1), hash);
	}
}

/* Compute the same mask in another way, by bytes. */
static bool bit_is_set(const uint32_t *words, uint32_t bit)
{
	uint8_t bytes[16];

	memcpy(bytes, words, bit < 32 ? 4 : 16);
	return bytes[bit / 8] >> (7 - bit % 8) & 1;
}

static struct sticky_settings settings_with(uint32_t v4_prefix, uint32_t v6_prefix)
{
	struct sticky_settings settings = {.slots = 1, .hash_seed = {1, 2}};
	uint32_t word;

	settings.v4_mask = sticky_prefix_mask(v4_prefix);
	for (word = 0; word < 4; word++)
		if (v6_prefix > 32 * word)
			settings.v6_mask[word] = sticky_prefix_mask(v6_prefix - 32 * word);
	return settings;
}

static void v4_key_is_the_address_under_its_prefix(void **state)
{
	uint32_t prefix, bit;

	(void)state;
	for (prefix = 0; prefix <= 32; prefix++) {
		struct sticky_settings settings = settings_with(prefix, 64);
		struct sticky_key key;

		sticky_key_v4(&settings, 0xffffffff, &key);
		assert_int_equal(key.words, 1);
		for (bit = 0; bit < 32; bit++)
			assert_int_equal(bit_is_set(key.word, bit), bit < prefix);
	}
}

static void v6_key_is_the_address_under_its_prefix(void **state)
{
	static const uint32_t ones[4] = {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};
	uint32_t prefix, bit;

	(void)state;
	for (prefix = 0; prefix <= 128; prefix++) {
		struct sticky_settings settings = settings_with(32, prefix);
		struct sticky_key key;

		sticky_key_v6(&settings, ones, &key);
		assert_int_equal(key.words, 4);
		for (bit = 0; bit < 128; bit++)
			assert_int_equal(bit_is_set(key.word, bit), bit < prefix);
	}
}

static struct sticky_key v6_key(const struct sticky_settings *settings, const char *text)
{
	struct sticky_key key;
	uint32_t words[4];

	assert_int_equal(inet_pton(AF_INET6, text, words), 1);
	sticky_key_v6(settings, words, &key);
	return key;
}

static void v4_mapped_client_is_the_v4_client(void **state)
{
	struct sticky_settings settings = settings_with(24, 64);
	struct sticky_key v4, mapped = v6_key(&settings, "::ffff:203.0.113.9");

	(void)state;
	sticky_key_v4(&settings, inet_addr("203.0.113.77"), &v4);
	assert_int_equal(mapped.words, 1);
	assert_int_equal(mapped.word[0], v4.word[0]);
	assert_int_equal(sticky_key_hash(&settings, &mapped), sticky_key_hash(&settings, &v4));
}

static void other_embeddings_of_v4_stay_v6(void **state)
{
	static const char *const others[] = {
		"::203.0.113.9",	/* v4-compatible, long deprecated */
		"::ffff:0:203.0.113.9", /* v4-translated */
		"64:ff9b::203.0.113.9", /* NAT64 */
		"1::ffff:203.0.113.9",	"0:1::ffff:203.0.113.9", "::fffe:203.0.113.9",
	};
	struct sticky_settings settings = settings_with(32, 128);
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(others); i++)
		assert_int_equal(v6_key(&settings, others[i]).words, 4);
}

static void v6_clients_of_one_network_have_one_hash(void **state)
{
	struct sticky_settings settings = settings_with(32, 64);
	struct sticky_key one = v6_key(&settings, "2001:db8:1:2::1");
	struct sticky_key same = v6_key(&settings, "2001:db8:1:2:ffff:ffff:ffff:ffff");
	struct sticky_key next = v6_key(&settings, "2001:db8:1:3::1");

	(void)state;
	assert_int_equal(sticky_key_hash(&settings, &one), sticky_key_hash(&settings, &same));
	assert_int_not_equal(sticky_key_hash(&settings, &one), sticky_key_hash(&settings, &next));
}

static void check_probes(uint32_t hash, uint32_t slot, uint32_t slots)
{
	uint32_t tried[STICKY_PROBES_MAX], probe, i;

	for (probe = 0; probe < STICKY_PROBES_MAX && probe + 1 < slots; probe++) {
		tried[probe] = sticky_probe_slot(hash, slot, slots, probe);
		assert_in_range(tried[probe], 0, slots - 1);
		assert_int_not_equal(tried[probe], slot);
		for (i = 0; i < probe; i++)
			assert_int_not_equal(tried[i], tried[probe]);
	}
}

static void probes_are_distinct_other_slots(void **state)
{
	static const uint32_t many[] = {64, 1000, STICKY_SLOTS_MAX};
	uint32_t slots, slot, high;
	size_t i;

	(void)state;
	for (high = 0; high < 0x10000; high += 251) {
		for (slots = 2; slots <= 12; slots++)
			for (slot = 0; slot < slots; slot++)
				check_probes(high << 16 | 0xffff, slot, slots);
		for (i = 0; i < COUNT(many); i++)
			check_probes(high << 16, high % many[i], many[i]);
	}
	check_probes(0xffffffff, STICKY_SLOTS_MAX - 1, STICKY_SLOTS_MAX);
}

static void clients_of_one_dead_slot_go_to_all_the_others(void **state)
{
	uint32_t taken[8] = {0}, high, slot;

	(void)state;
	for (high = 0; high < 0x10000; high++)
		taken[sticky_probe_slot(high << 16, 3, 8, 0)]++;
	for (slot = 0; slot < 8; slot++)
		assert_in_range(taken[slot], slot == 3 ? 0 : 0x10000 / 7,
				slot == 3 ? 0 : 0x10000 / 7 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_gives_the_published_vectors),
		cmocka_unit_test(every_bit_of_the_seed_matters),
		cmocka_unit_test(v4_key_is_the_address_under_its_prefix),
		cmocka_unit_test(v6_key_is_the_address_under_its_prefix),
		cmocka_unit_test(v4_mapped_client_is_the_v4_client),
		cmocka_unit_test(other_embeddings_of_v4_stay_v6),
		cmocka_unit_test(v6_clients_of_one_network_have_one_hash),
		cmocka_unit_test(probes_are_distinct_other_slots),
		cmocka_unit_test(clients_of_one_dead_slot_go_to_all_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
