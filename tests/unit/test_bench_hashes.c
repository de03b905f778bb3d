// SPDX-License-Identifier: MIT
/*
 * The benchmark compares the hash of libsticky with the hashes of other modules. The values
 * expected here were computed by npm's string-hash 1.1.3 and sticky-listen 3.3.0.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "../../bench/lib/hashes.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The values that the benchmark itself checks whenever it starts. */
static void known_answers_are_right(void **state)
{
	const char *wrong = hashes_find_wrong();

	(void)state;
	if (wrong)
		fail_msg("%s", wrong);
}

static void djb2_is_that_of_string_hash(void **state)
{
	static const struct {
		const char *text;
		uint32_t hash;
	} known[] = {
		{"", 5381u},
		{"255.255.255.255", 2390231627u},
		{"2001:db8::1", 825529651u},
		{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 3760591202u},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(known); i++)
		assert_int_equal(hash_djb2(known[i].text, strlen(known[i].text)), known[i].hash);
}

/* With most of these seeds intermediate sums exceed 2^31, or are negative. */
static void int31_is_that_of_sticky_listen(void **state)
{
	static const struct {
		const char *address;
		int32_t seed;
		uint32_t hash;
	} known[] = {
		{"0.0.0.0", 0, 0u},
		{"255.255.255.255", 0, 383932092u},
		{"203.0.113.77", 0, 1758203975u},
		{"0.0.0.0", 1, 1044233958u},
		{"127.0.0.1", 1, 218518098u},
		{"203.0.113.77", 1, 4142314559u},
		{"1.2.3.4", 123456789, 1261398623u},
		{"203.0.113.77", 123456789, 163701418u},
		{"0.0.0.0", 123456789, 2994776639u},
		{"255.255.255.255", 999999999, 2864662336u},
		{"127.0.0.1", 999999999, 3886760011u},
		{"203.0.113.77", 999999999, 1610448003u},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(known); i++) {
		struct in_addr address;

		assert_int_equal(inet_pton(AF_INET, known[i].address, &address), 1);
		assert_int_equal(hash_int31(&address, sizeof(address), known[i].seed),
				 known[i].hash);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers_are_right),
		cmocka_unit_test(djb2_is_that_of_string_hash),
		cmocka_unit_test(int31_is_that_of_sticky_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
