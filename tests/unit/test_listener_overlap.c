// SPDX-License-Identifier: MIT
/* Which listening addresses take connections from each other. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/listener_overlap.h"

static struct listener_place place(const char *address, uint16_t port)
{
	struct listener_place place = {.port = port,
				       .family = strchr(address, ':') ? AF_INET6 : AF_INET};

	assert_int_equal(inet_pton(place.family, address, place.address), 1);
	return place;
}

static const struct {
	const char *ours, *foreign;
	enum overlap overlap;
} cases[] = {
	{"127.0.0.1", "127.0.0.1", OVERLAP_SAME},
	{"0.0.0.0", "0.0.0.0", OVERLAP_SAME},
	{"::", "::", OVERLAP_SAME},
	{"0.0.0.0", "127.0.0.1", OVERLAP_MORE_SPECIFIC},
	{"::", "::1", OVERLAP_MORE_SPECIFIC},
	{"::", "127.0.0.1", OVERLAP_MORE_SPECIFIC},
	{"::", "0.0.0.0", OVERLAP_MORE_SPECIFIC},
	{"127.0.0.1", "0.0.0.0", OVERLAP_NONE},
	{"127.0.0.1", "127.0.0.2", OVERLAP_NONE},
	{"0.0.0.0", "::1", OVERLAP_NONE},
	{"0.0.0.0", "::", OVERLAP_NONE},
	{"::1", "::", OVERLAP_NONE},
};

static void addresses(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct listener_place ours = place(cases[i].ours, 80);
		struct listener_place foreign = place(cases[i].foreign, 80);

		if (listener_overlap(&ours, &foreign) != cases[i].overlap)
			fail_msg("%s, %s", cases[i].ours, cases[i].foreign);
		foreign.port = 81;
		assert_int_equal(listener_overlap(&ours, &foreign), OVERLAP_NONE);
	}
}

static void assert_place(const char *text, const char *address, uint16_t port)
{
	struct listener_place wanted = place(address, port), found;

	assert_int_equal(listener_place_parse(text, &found), 0);
	assert_int_equal(listener_overlap(&wanted, &found), OVERLAP_SAME);
	assert_int_equal(found.family, wanted.family);
}

static void places_are_read(void **state)
{
	static const char *const bad[] = {
		"",	  ":80",	 "127.0.0.1", "127.0.0.1:",  "[]:80",	"[::1:80",
		"::1:80", "127.0.0.1:0", "[::1]",     "[::1]:65536", "host:80", "closed"};
	struct listener_place untouched = {.port = 7};
	char text[200];
	size_t i;

	(void)state;
	assert_place("127.0.0.1:3000", "127.0.0.1", 3000);
	assert_place("0.0.0.0:65535", "0.0.0.0", 65535);
	assert_place("[::]:8080", "::", 8080);
	assert_place("[fe80::1%eth0]:1", "fe80::1", 1);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(listener_place_parse(bad[i], &untouched), -EINVAL);
	snprintf(text, sizeof(text), "%0150d:80", 1);
	assert_int_equal(listener_place_parse(text, &untouched), -EINVAL);
	assert_int_equal(untouched.port, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(places_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
