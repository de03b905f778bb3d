// SPDX-License-Identifier: MIT
/* Sets of address ranges are read from text, and tell whether they contain an address. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "common/prefixes.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct sockaddr_storage address_of(const char *text)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (void *)&address;
	struct sockaddr_in6 *v6 = (void *)&address;

	address.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	/* the port is at the same place in both families, and is ignored */
	v4->sin_port = htons(4711);
	if (inet_pton(address.ss_family, text,
		      address.ss_family == AF_INET ? (void *)&v4->sin_addr : &v6->sin6_addr) != 1)
		fail_msg("\"%s\" is no address", text);
	return address;
}

static struct sticky_prefix prefix_of(const char *text)
{
	struct sticky_prefix prefix;

	if (prefix_parse(text, &prefix))
		fail_msg("\"%s\" was refused", text);
	return prefix;
}

static bool contains(const struct prefixes *prefixes, const char *text)
{
	struct sockaddr_storage address = address_of(text);

	return prefixes_contain(prefixes, (const void *)&address);
}

static bool is_public(const char *text)
{
	struct sockaddr_storage address = address_of(text);

	return prefix_is_public((const void *)&address);
}

static void ranges_are_read(void **state)
{
	static const struct {
		const char *text, *address;
		uint8_t bits;
	} good[] = {
		{"10.0.0.0/8", "::ffff:10.0.0.0", 104},
		{"203.0.113.7", "::ffff:203.0.113.7", 128},
		{"203.0.113.7/32", "::ffff:203.0.113.7", 128},
		{"0.0.0.0/0", "::ffff:0.0.0.0", 96},
		{"255.255.255.255", "::ffff:255.255.255.255", 128},
		{"2001:db8::/32", "2001:db8::", 32},
		{"2001:DB8::/32", "2001:db8::", 32},
		{"fe80::1", "fe80::1", 128},
		{"::", "::", 128},
		{"::/0", "::", 0},
		{"::ffff:10.0.0.0/104", "::ffff:10.0.0.0", 104},
		{"::ffff:a00:1/127", "::ffff:10.0.0.0", 127},
		{"::ffff:10.0.0.1", "::ffff:10.0.0.1", 128},
		{"::ffff:0:0/96", "::ffff:0.0.0.0", 96},
		{"1111:2222:3333:4444:5555:6666:255.255.255.255/128",
		 "1111:2222:3333:4444:5555:6666:255.255.255.255", 128},
		/* the bits behind the prefix are cleared */
		{"10.1.2.3/8", "::ffff:10.0.0.0", 104},
		{"172.31.255.255/12", "::ffff:172.16.0.0", 108},
		{"1.2.3.4/0", "::ffff:0.0.0.0", 96},
		{"1.2.3.255/31", "::ffff:1.2.3.254", 127},
		{"2001:db8:ffff::1/33", "2001:db8:8000::", 33},
		{"ffff::/1", "8000::", 1},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		struct sticky_prefix prefix = prefix_of(good[i].text);
		struct sockaddr_storage address = address_of(good[i].address);
		const struct sockaddr_in6 *v6 = (const void *)&address;

		if (memcmp(prefix.address, &v6->sin6_addr, 16) || prefix.bits != good[i].bits)
			fail_msg("\"%s\" was misread", good[i].text);
	}
}

static void bad_ranges_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"/",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/+8",
		"10.0.0.0/ 8",
		"10.0.0.0/8 ",
		" 10.0.0.0/8",
		"10.0.0.0 /8",
		"10.0.0.0/8/8",
		"10.0.0.0//8",
		"10.0.0.0/0x8",
		"10.0.0.0/255.0.0.0",
		"10.0.0.0/18446744073709551624",
		"10.0.0.0/4294967304",
		"10/8",
		"10.0.0/8",
		"10.0.0.0.0/8",
		"010.0.0.0/8",
		"10.0.0.256",
		"10.0.0.0:80",
		"10.0.0.0-10.0.0.9",
		"10.0.0.*",
		"localhost",
		"::1/129",
		"::1/",
		"[::1]",
		"[::1]/128",
		"fe80::1%lo",
		"fe80::1%1/64",
		":::",
		"1:2:3:4:5:6:7/112",
		"1111:2222:3333:4444:5555:6666:255.255.255.2555",
		/*
		 * Here /104 was meant. With the bits behind /8 cleared, the range would contain all
		 * of IPv4.
		 */
		"::ffff:10.0.0.0/8",
		"::ffff:10.0.0.0/95",
		"::ffff:0:0/0",
	};
	struct sticky_prefix prefix, untouched;
	size_t i;

	(void)state;
	memset(&untouched, 0xa5, sizeof(untouched));
	memset(&prefix, 0xa5, sizeof(prefix));
	for (i = 0; i < COUNT(bad); i++) {
		if (prefix_parse(bad[i], &prefix) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_memory_equal(&prefix, &untouched, sizeof(prefix));
	}
}

static void overlong_ranges_are_refused(void **state)
{
	struct sticky_prefix prefix;
	char text[256];
	size_t length;

	(void)state;
	for (length = 40; length < sizeof(text); length++) {
		memset(text, '0', sizeof(text));
		memcpy(text, "::", 2);
		text[length] = '\0';
		assert_int_equal(prefix_parse(text, &prefix), -EINVAL);
	}
}

static void an_empty_set_holds_nothing(void **state)
{
	struct prefixes prefixes;

	(void)state;
	assert_int_equal(prefixes_init(&prefixes, NULL, 0), 0);
	assert_false(contains(&prefixes, "0.0.0.0"));
	assert_false(contains(&prefixes, "::"));
	prefixes_fini(&prefixes);
}

static void a_set_knows_its_edges(void **state)
{
	const struct sticky_prefix list[] = {
		prefix_of("2001:db8::/32"), prefix_of("10.0.0.0/8"), prefix_of("203.0.113.7"),
		prefix_of("172.16.0.0/12"), prefix_of("fe80::1"),    prefix_of("192.0.2.128/25"),
	};
	static const char *const in[] = {
		"10.0.0.0",	   "10.255.255.255", "172.16.0.0",
		"172.31.255.255",  "203.0.113.7",    "192.0.2.128",
		"192.0.2.255",	   "2001:db8::",     "fe80::1",
		"::ffff:10.1.2.3", "::ffff:a01:203", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
	};
	static const char *const out[] = {
		"9.255.255.255",
		"11.0.0.0",
		"172.15.255.255",
		"172.32.0.0",
		"203.0.113.6",
		"203.0.113.8",
		"192.0.2.127",
		"192.0.3.0",
		"0.0.0.0",
		"255.255.255.255",
		"fe80::",
		"fe80::2",
		"::",
		"2001:db9::",
		"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
		"::10.1.2.3",
		"::fffe:10.1.2.3",
		"64:ff9b::10.1.2.3",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	};
	struct prefixes prefixes;
	size_t i;

	(void)state;
	assert_int_equal(prefixes_init(&prefixes, list, COUNT(list)), 0);
	assert_int_equal(prefixes.count, COUNT(list));
	for (i = 0; i < COUNT(in); i++)
		if (!contains(&prefixes, in[i]))
			fail_msg("%s is not in", in[i]);
	for (i = 0; i < COUNT(out); i++)
		if (contains(&prefixes, out[i]))
			fail_msg("%s is in", out[i]);
	prefixes_fini(&prefixes);
}

static void nested_and_double_ranges_are_dropped(void **state)
{
	const struct sticky_prefix list[] = {
		prefix_of("10.1.2.3"),	 prefix_of("10.1.0.0/16"), prefix_of("10.0.0.0/8"),
		prefix_of("10.0.0.0/8"), prefix_of("10.0.0.0/9"),  prefix_of("10.255.255.255"),
		prefix_of("11.0.0.0/8"), prefix_of("11.0.0.0"),	   prefix_of("10.9.9.9/8"),
	};
	struct prefixes prefixes;

	(void)state;
	assert_int_equal(prefixes_init(&prefixes, list, COUNT(list)), 0);
	assert_int_equal(prefixes.count, 2);
	assert_true(contains(&prefixes, "10.200.0.1"));
	assert_true(contains(&prefixes, "11.200.0.1"));
	assert_false(contains(&prefixes, "12.0.0.0"));
	prefixes_fini(&prefixes);
}

/* A caller that fills in a prefix itself need not clear the bits behind the prefix. */
static void bits_behind_a_prefix_do_not_count(void **state)
{
	struct sticky_prefix prefix = prefix_of("10.1.2.3");
	struct prefixes prefixes;

	(void)state;
	prefix.bits = 96 + 12;
	assert_int_equal(prefixes_init(&prefixes, &prefix, 1), 0);
	assert_true(contains(&prefixes, "10.0.0.0"));
	assert_true(contains(&prefixes, "10.15.255.255"));
	assert_false(contains(&prefixes, "10.16.0.0"));
	prefixes_fini(&prefixes);
}

static void all_of_ipv6_holds_all_of_ipv4(void **state)
{
	static const char *const texts[] = {"::/0", "::/80", "0.0.0.0/0"};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++) {
		const struct sticky_prefix list[] = {prefix_of(texts[i]), prefix_of("10.0.0.0/8")};
		struct prefixes prefixes;

		assert_int_equal(prefixes_init(&prefixes, list, COUNT(list)), 0);
		assert_int_equal(prefixes.count, 1);
		assert_true(contains(&prefixes, "203.0.113.9"));
		assert_int_equal(contains(&prefixes, "2001:db8::1"), i == 0);
		prefixes_fini(&prefixes);
	}
}

static void other_families_are_in_no_range(void **state)
{
	const struct sticky_prefix everything = prefix_of("::/0");
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct prefixes prefixes;

	(void)state;
	assert_int_equal(prefixes_init(&prefixes, &everything, 1), 0);
	assert_false(prefixes_contain(&prefixes, (const void *)&local));
	assert_false(prefix_is_public((const void *)&local));
	prefixes_fini(&prefixes);
}

static void the_default_is_loopback_and_private(void **state)
{
	static const char *const expected[] = {
		"127.0.0.0/8",	  "::1/128",	    "10.0.0.0/8", "172.16.0.0/12",
		"192.168.0.0/16", "169.254.0.0/16", "fc00::/7",	  "fe80::/10",
	};
	size_t count, i;
	const struct sticky_prefix *list = prefixes_default(&count);

	(void)state;
	assert_int_equal(count, COUNT(expected));
	for (i = 0; i < count; i++) {
		struct sticky_prefix prefix = prefix_of(expected[i]);

		assert_memory_equal(&list[i], &prefix, sizeof(prefix));
	}
}

static void public_addresses_are_told_from_others(void **state)
{
	static const char *const public[] = {
		"1.0.0.0",	   "9.255.255.255",
		"11.0.0.0",	   "100.63.255.255",
		"100.128.0.0",	   "126.255.255.255",
		"128.0.0.0",	   "169.253.255.255",
		"169.255.0.0",	   "172.15.255.255",
		"172.32.0.0",	   "192.167.255.255",
		"192.169.0.0",	   "223.255.255.255",
		"203.0.113.9",	   "::ffff:203.0.113.9",
		"2001:db8::1",	   "::2",
		"fbff:ffff::",	   "fe00::",
		"fe7f:ffff::ffff", "fec0::",
		"2a00:1450::8888",
	};
	static const char *const others[] = {
		"0.0.0.0",
		"0.255.255.255",
		"10.0.0.0",
		"10.255.255.255",
		"100.64.0.0",
		"100.127.255.255",
		"127.0.0.1",
		"127.255.255.255",
		"169.254.0.0",
		"169.254.169.254",
		"172.16.0.0",
		"172.31.255.255",
		"192.168.0.0",
		"192.168.255.255",
		"224.0.0.1",
		"239.255.255.255",
		"::",
		"::1",
		"::ffff:10.0.0.1",
		"::ffff:127.0.0.1",
		"::ffff:0.0.0.0",
		"::ffff:100.64.1.1",
		"fc00::",
		"fdff:ffff::1",
		"fe80::1",
		"febf:ffff::1",
		"ff02::1",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(public); i++)
		if (!is_public(public[i]))
			fail_msg("%s is public", public[i]);
	for (i = 0; i < COUNT(others); i++)
		if (is_public(others[i]))
			fail_msg("%s is not public", others[i]);
}

/* ---- A simple model: every range is compared, bit by bit -------------------------------- */

static bool has_first_bits(const struct sticky_prefix *prefix, const uint8_t address[16])
{
	unsigned int bit;

	for (bit = 0; bit < prefix->bits; bit++)
		if ((prefix->address[bit / 8] ^ address[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

static bool is_in_any(const struct sticky_prefix *list, size_t count, const uint8_t address[16])
{
	size_t i;

	for (i = 0; i < count; i++)
		if (has_first_bits(&list[i], address))
			return true;
	return false;
}

/* Draw an address. Only a few bits vary, so that ranges are nested, adjacent, or equal. */
static void draw_address(uint8_t ret_address[16])
{
	size_t i;

	memset(ret_address, 0, 16);
	if (rand() % 2)
		memset(ret_address + 10, 0xff, 2);
	for (i = 0; i < 3; i++)
		if (rand() % 2)
			ret_address[rand() % 16] ^= (uint8_t)(1 << rand() % 8);
	if (rand() % 8 == 0)
		memset(ret_address + rand() % 16, 0xff, 1);
}

static void check_set(const struct sticky_prefix *list, size_t count)
{
	struct prefixes prefixes;
	size_t i;

	assert_int_equal(prefixes_init(&prefixes, list, count), 0);
	for (i = 0; i < 200; i++) {
		struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
		struct sockaddr_in v4 = {.sin_family = AF_INET};
		bool expected;

		draw_address(v6.sin6_addr.s6_addr);
		if (count && rand() % 2) /* the address in a range's prefix */
			memcpy(&v6.sin6_addr, list[(size_t)rand() % count].address, 16);
		expected = is_in_any(list, count, v6.sin6_addr.s6_addr);
		assert_int_equal(prefixes_contain(&prefixes, (const void *)&v6), expected);
		if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
			continue;
		memcpy(&v4.sin_addr, &v6.sin6_addr.s6_addr[12], 4);
		assert_int_equal(prefixes_contain(&prefixes, (const void *)&v4), expected);
	}
	for (i = 1; i < prefixes.count; i++) {
		const struct sticky_prefix *last = &prefixes.list[i - 1], *next = last + 1;

		assert_true(memcmp(last->address, next->address, 16) < 0);
		assert_false(has_first_bits(last, next->address));
	}
	prefixes_fini(&prefixes);
}

static void a_set_says_what_a_scan_says(void **state)
{
	struct sticky_prefix list[24];
	unsigned int round;

	(void)state;
	srand(1);
	for (round = 0; round < 5000; round++) {
		size_t count = (size_t)rand() % COUNT(list), i;

		for (i = 0; i < count; i++) {
			draw_address(list[i].address);
			/* Short prefixes would contain all addresses. */
			list[i].bits = (uint8_t)(rand() % 16 ? 88 + rand() % 41 : rand() % 129);
		}
		check_set(list, count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_read),
		cmocka_unit_test(bad_ranges_are_refused),
		cmocka_unit_test(overlong_ranges_are_refused),
		cmocka_unit_test(an_empty_set_holds_nothing),
		cmocka_unit_test(a_set_knows_its_edges),
		cmocka_unit_test(nested_and_double_ranges_are_dropped),
		cmocka_unit_test(bits_behind_a_prefix_do_not_count),
		cmocka_unit_test(all_of_ipv6_holds_all_of_ipv4),
		cmocka_unit_test(other_families_are_in_no_range),
		cmocka_unit_test(the_default_is_loopback_and_private),
		cmocka_unit_test(public_addresses_are_told_from_others),
		cmocka_unit_test(a_set_says_what_a_scan_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
