// SPDX-License-Identifier: MIT
/* Addresses as text are parsed, refused, and written. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "engine/address.h"
#include "sticky.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void good_listen_specs_are_split(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		uint8_t is_v6;
	} good[] = {
		{":80", "", 80, 0},
		{":0", "", 0, 0},
		{"1.2.3.4:65535", "1.2.3.4", 65535, 0},
		{"localhost:8080", "localhost", 8080, 0},
		{"a-b.example:00080", "a-b.example", 80, 0},
		{"[::1]:80", "::1", 80, 1},
		{"[::]:0", "::", 0, 1},
		{"[fe80::1%eth0]:443", "fe80::1%eth0", 443, 1},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		struct listen_spec spec;

		assert_int_equal(listen_spec_parse(good[i].text, &spec), 0);
		assert_string_equal(spec.host, good[i].host);
		assert_int_equal(spec.port, good[i].port);
		assert_int_equal(spec.is_v6, good[i].is_v6);
	}
}

static void bad_listen_specs_are_refused(void **state)
{
	static const char *const bad[] = {
		"",	     ":",	 "1.2.3.4",	 "1.2.3.4:",	"1.2.3.4:65536",
		"80",	     "::1:80",	 "::1",		 "::",		"[::1]80",
		"[]:80",     "[::1",	 "[::1]",	 "[::1]:",	"[::1] :80",
		"[",	     "]",	 "[]",		 "a:b:80",	"a:+80",
		"a:-80",     "a: 80",	 "a:80 ",	 "a:8 0",	"a:0x50",
		"a:1234567", "a:000080", "a:80\n",	 "[::1]:65536", "[::1]:80:80",
		"[::1]:-1",  "a:99999",	 "a:4294967376", "a:\xb2",
	};
	struct listen_spec spec, untouched;
	size_t i;

	(void)state;
	memset(&untouched, 0xa5, sizeof(untouched));
	memset(&spec, 0xa5, sizeof(spec));
	for (i = 0; i < COUNT(bad); i++) {
		if (listen_spec_parse(bad[i], &spec) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_memory_equal(&spec, &untouched, sizeof(spec));
	}
}

static void listen_host_is_limited_to_its_room(void **state)
{
	char text[ADDRESS_HOST_SIZE + 16];
	struct listen_spec spec;

	(void)state;
	memset(text, 'a', sizeof(text));
	strcpy(text + ADDRESS_HOST_SIZE - 1, ":80");
	assert_int_equal(listen_spec_parse(text, &spec), 0);
	assert_int_equal(strlen(spec.host), ADDRESS_HOST_SIZE - 1);

	memset(text, 'a', sizeof(text));
	strcpy(text + ADDRESS_HOST_SIZE, ":80");
	assert_int_equal(listen_spec_parse(text, &spec), -EINVAL);

	text[0] = '[';
	strcpy(text + ADDRESS_HOST_SIZE + 1, "]:80");
	assert_int_equal(listen_spec_parse(text, &spec), -EINVAL);
}

static void good_addresses_are_read(void **state)
{
	static const struct {
		const char *text, *canonical;
		int family;
	} good[] = {
		{"203.0.113.9", "203.0.113.9", AF_INET},
		{"0.0.0.0", "0.0.0.0", AF_INET},
		{"255.255.255.255", "255.255.255.255", AF_INET},
		{"::", "::", AF_INET6},
		{"::1", "::1", AF_INET6},
		{"[::1]", "::1", AF_INET6},
		{"[2001:DB8:0::1]", "2001:db8::1", AF_INET6},
		{"::ffff:203.0.113.9", "::ffff:203.0.113.9", AF_INET6},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		struct sockaddr_storage address;
		struct sockaddr_in *v4 = (void *)&address;
		struct sockaddr_in6 *v6 = (void *)&address;
		char text[INET6_ADDRSTRLEN];

		memset(&address, 0xa5, sizeof(address));
		if (sticky_address_parse(good[i].text, &address))
			fail_msg("\"%s\" was refused", good[i].text);
		assert_int_equal(address.ss_family, good[i].family);
		/* the port is at the same place in both families */
		assert_int_equal(v4->sin_port, 0);
		inet_ntop(good[i].family,
			  good[i].family == AF_INET ? (void *)&v4->sin_addr : &v6->sin6_addr, text,
			  sizeof(text));
		assert_string_equal(text, good[i].canonical);
	}
}

static void a_zone_is_read(void **state)
{
	struct sockaddr_storage address;
	struct sockaddr_in6 *v6 = (void *)&address;

	(void)state;
	if (!if_nametoindex("lo"))
		skip();
	assert_int_equal(sticky_address_parse("fe80::1%lo", &address), 0);
	assert_int_equal(v6->sin6_scope_id, if_nametoindex("lo"));
	assert_int_equal(sticky_address_parse("[fe80::1%lo]", &address), 0);
	assert_int_equal(v6->sin6_scope_id, if_nametoindex("lo"));
	assert_int_equal(sticky_address_parse("fe80::1%no_such_zone", &address), -EINVAL);
}

static void bad_addresses_are_refused(void **state)
{
	static const char *const bad[] = {
		"",	    "1",	  "0x7f.1",	    "1.2.3",	 "1.2.3.4.5",	"1.2.3.256",
		"1.2.3.4 ", " 1.2.3.4",	  "1.2.3.4:80",	    "localhost", "[1.2.3.4]",	"[]",
		"[::1",	    "::1]",	  "[::1]:80",	    "[[::1]]",	 "1:2:3:4:5:6", ":::",
		"::g",	    "1.2.3.4/32", "2001:db8::1/64", "017.0.0.1", "2130706433",	"[",
		"]",	    "%lo",
	};
	struct sockaddr_storage address, untouched;
	size_t i;

	(void)state;
	memset(&untouched, 0xa5, sizeof(untouched));
	memset(&address, 0xa5, sizeof(address));
	for (i = 0; i < COUNT(bad); i++) {
		if (sticky_address_parse(bad[i], &address) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_memory_equal(&address, &untouched, sizeof(address));
	}
}

static void overlong_addresses_are_refused(void **state)
{
	struct sockaddr_storage address;
	char text[2 * ADDRESS_HOST_SIZE];
	size_t length;

	(void)state;
	for (length = 60; length < sizeof(text); length++) {
		memset(text, ':', sizeof(text));
		memset(text + 2, '0', length - 2);
		text[length] = '\0';
		assert_int_equal(sticky_address_parse(text, &address), -EINVAL);
	}
}

static struct sockaddr_in v4_address(const char *host, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET, host, &address.sin_addr), 1);
	return address;
}

static struct sockaddr_in6 v6_address(const char *host, uint16_t port, uint32_t zone)
{
	struct sockaddr_in6 address = {
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = zone};

	assert_int_equal(inet_pton(AF_INET6, host, &address.sin6_addr), 1);
	return address;
}

static void check_format(const void *address, const char *expected)
{
	char text[STICKY_ADDRESS_TEXT_SIZE];
	size_t length = strlen(expected);

	assert_int_equal(address_format(address, sizeof(text), text), 0);
	assert_string_equal(text, expected);
	assert_int_equal(address_format(address, length + 1, text), 0);
	assert_int_equal(address_format(address, length, text), -ENOSPC);
	assert_int_equal(address_format(address, 0, text), -ENOSPC);
}

static void addresses_are_written(void **state)
{
	struct sockaddr_in v4 = v4_address("203.0.113.9", 65535);
	struct sockaddr_in6 any = v6_address("::", 80, 0);
	struct sockaddr_in6 unknown_zone = v6_address("fe80::1", 80, 4000000000u);
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	char text[STICKY_ADDRESS_TEXT_SIZE];

	(void)state;
	check_format(&v4, "203.0.113.9:65535");
	check_format(&any, "[::]:80");
	check_format(&unknown_zone, "[fe80::1%4000000000]:80");
	assert_int_equal(address_format((const void *)&local, sizeof(text), text), -EAFNOSUPPORT);
}

static void the_longest_address_fits(void **state)
{
	/* the longest text of inet_ntop(), with a zone as long as the longest interface name */
	struct sockaddr_in6 longest =
		v6_address("1111:2222:3333:4444:5555:6666:7777:8888", 65535, 4294967295u);

	(void)state;
	check_format(&longest, "[1111:2222:3333:4444:5555:6666:7777:8888%4294967295]:65535");
	assert_true(INET6_ADDRSTRLEN + IF_NAMESIZE + strlen("[%]:65535") <=
		    STICKY_ADDRESS_TEXT_SIZE);
}

static void masks_have_their_prefix(void **state)
{
	uint32_t prefix, mask[5];

	(void)state;
	for (prefix = 0; prefix <= 128; prefix++) {
		uint8_t bytes[16];
		uint32_t bit;

		mask[4] = 0xa5a5a5a5;
		prefix_fill_mask(prefix, 4, mask);
		assert_int_equal(mask[4], 0xa5a5a5a5);
		assert_int_equal(mask_prefix(mask, 4), prefix);
		memcpy(bytes, mask, sizeof(bytes));
		for (bit = 0; bit < 128; bit++)
			assert_int_equal(bytes[bit / 8] >> (7 - bit % 8) & 1, bit < prefix);
	}
	for (prefix = 0; prefix <= 32; prefix++) {
		prefix_fill_mask(prefix, 1, mask);
		assert_int_equal(mask_prefix(mask, 1), prefix);
	}
}

static struct sticky_settings settings_with(uint32_t v4_prefix, uint32_t v6_prefix)
{
	struct sticky_settings settings = {.slots = 1};

	prefix_fill_mask(v4_prefix, 1, &settings.v4_mask);
	prefix_fill_mask(v6_prefix, 4, settings.v6_mask);
	return settings;
}

static void check_key(const struct sticky_settings *settings, const void *client,
		      const char *expected)
{
	char text[STICKY_ADDRESS_TEXT_SIZE];
	struct sticky_key key;

	assert_int_equal(address_key(settings, client, &key), 0);
	assert_int_equal(key_format(settings, &key, sizeof(text), text), 0);
	assert_string_equal(text, expected);
	assert_int_equal(key_format(settings, &key, strlen(expected), text), -ENOSPC);
}

static void keys_are_written_with_their_prefix(void **state)
{
	struct sticky_settings whole = settings_with(32, 128), part = settings_with(20, 61);
	struct sockaddr_in v4 = v4_address("203.0.113.9", 1234);
	struct sockaddr_in6 v6 = v6_address("2001:db8:1:2:3:4:5:6", 1234, 0);
	struct sockaddr_in6 mapped = v6_address("::ffff:203.0.113.9", 1234, 0);
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sticky_key key;

	(void)state;
	check_key(&whole, &v4, "203.0.113.9/32");
	check_key(&part, &v4, "203.0.112.0/20");
	check_key(&whole, &v6, "2001:db8:1:2:3:4:5:6/128");
	check_key(&part, &v6, "2001:db8:1::/61");
	check_key(&whole, &mapped, "203.0.113.9/32");
	assert_int_equal(address_key(&whole, (const void *)&local, &key), -EAFNOSUPPORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_listen_specs_are_split),
		cmocka_unit_test(bad_listen_specs_are_refused),
		cmocka_unit_test(listen_host_is_limited_to_its_room),
		cmocka_unit_test(good_addresses_are_read),
		cmocka_unit_test(a_zone_is_read),
		cmocka_unit_test(bad_addresses_are_refused),
		cmocka_unit_test(overlong_addresses_are_refused),
		cmocka_unit_test(addresses_are_written),
		cmocka_unit_test(the_longest_address_fits),
		cmocka_unit_test(masks_have_their_prefix),
		cmocka_unit_test(keys_are_written_with_their_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
