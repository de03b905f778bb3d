// SPDX-License-Identifier: MIT
/* Which listener's address a worker's bind() asks for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "bind/bind_address.h"

/* Return the address of a socket. "::" is of both families unless only_v6. */
static struct bind_address address_of(const char *host, uint16_t port, bool only_v6)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct bind_address address;

	if (strchr(host, ':')) {
		assert_int_equal(inet_pton(AF_INET6, host, &v6.sin6_addr), 1);
		assert_int_equal(bind_address_read(&v6, sizeof(v6), true, only_v6, &address), 0);
	} else {
		assert_int_equal(inet_pton(AF_INET, host, &v4.sin_addr), 1);
		assert_int_equal(bind_address_read(&v4, sizeof(v4), false, false, &address), 0);
	}
	return address;
}

static void texts_are_those_of_the_option(void **state)
{
	static const struct {
		const char *host;
		bool only_v6;
		const char *text;
	} cases[] = {
		{"0.0.0.0", false, "0.0.0.0:80"},
		{"127.0.0.1", false, "127.0.0.1:80"},
		{"::", false, ":80"},
		{"::", true, "[::]:80"},
		{"::1", true, "[::1]:80"},
		{"::1", false, "[::1]:80"},
		{"::ffff:10.0.0.1", false, "10.0.0.1:80"},
	};
	char text[BIND_ADDRESS_TEXT_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bind_address address = address_of(cases[i].host, 80, cases[i].only_v6);

		bind_address_format(&address, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void a_zone_is_part_of_a_link_local_address(void **state)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
	struct bind_address one, two;
	char text[BIND_ADDRESS_TEXT_SIZE];

	(void)state;
	inet_pton(AF_INET6, "fe80::1", &v6.sin6_addr);
	v6.sin6_scope_id = 2;
	assert_int_equal(bind_address_read(&v6, sizeof(v6), true, false, &one), 0);
	bind_address_format(&one, text);
	assert_string_equal(text, "[fe80::1%2]:80");
	v6.sin6_scope_id = 3;
	assert_int_equal(bind_address_read(&v6, sizeof(v6), true, false, &two), 0);
	assert_int_equal(bind_address_compare(&one, &two), BIND_OVERLAP_NONE);
}

static void what_is_no_address_is_refused(void **state)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(80)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
	struct sockaddr_in6 v4_for_v6 = {0};
	struct bind_address address;

	(void)state;
	assert_int_equal(bind_address_read(&v4, 15, false, false, &address), -EINVAL);
	assert_int_equal(bind_address_read(&v4, 0, false, false, &address), -EINVAL);
	assert_int_equal(bind_address_read(&v6, 23, true, false, &address), -EINVAL);
	assert_int_equal(bind_address_read(&v6, 24, true, false, &address), 0);
	/* The family of the address is not that of the socket. */
	assert_int_equal(bind_address_read(&v6, sizeof(v6), false, false, &address), -EINVAL);
	memcpy(&v4_for_v6, &v4, sizeof(v4));
	assert_int_equal(bind_address_read(&v4_for_v6, sizeof(v4_for_v6), true, false, &address),
			 -EINVAL);
	v4.sin_family = AF_UNIX;
	assert_int_equal(bind_address_read(&v4, sizeof(v4), false, false, &address), -EINVAL);
}

static void unspecified_is_every_address_of_v4_alone(void **state)
{
	struct sockaddr_in v4 = {.sin_family = AF_UNSPEC, .sin_port = htons(80)};
	struct bind_address address, every = address_of("0.0.0.0", 80, false);

	(void)state;
	assert_int_equal(bind_address_read(&v4, sizeof(v4), false, false, &address), 0);
	assert_int_equal(bind_address_compare(&address, &every), BIND_OVERLAP_SAME);
	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind_address_read(&v4, sizeof(v4), false, false, &address), -EINVAL);
}

static void each_pair_of_addresses_overlaps_as_in_the_kernel(void **state)
{
	static const struct {
		const char *asked;
		bool asked_only;
		const char *listener;
		bool listener_only;
		enum bind_overlap overlap;
	} cases[] = {
		{"127.0.0.1", false, "127.0.0.1", false, BIND_OVERLAP_SAME},
		{"127.0.0.1", false, "127.0.0.2", false, BIND_OVERLAP_NONE},
		{"127.0.0.1", false, "0.0.0.0", false, BIND_OVERLAP_NARROWER},
		{"0.0.0.0", false, "127.0.0.1", false, BIND_OVERLAP_WIDER},
		{"0.0.0.0", false, "::", false, BIND_OVERLAP_NARROWER},
		{"0.0.0.0", false, "::", true, BIND_OVERLAP_NONE},
		{"127.0.0.1", false, "::", false, BIND_OVERLAP_NARROWER},
		{"127.0.0.1", false, "::", true, BIND_OVERLAP_NONE},
		{"::", false, "0.0.0.0", false, BIND_OVERLAP_WIDER},
		{"::", true, "0.0.0.0", false, BIND_OVERLAP_NONE},
		{"::", false, "127.0.0.1", false, BIND_OVERLAP_WIDER},
		{"::", false, "::", false, BIND_OVERLAP_SAME},
		{"::", true, "::", false, BIND_OVERLAP_NARROWER},
		{"::", false, "::", true, BIND_OVERLAP_WIDER},
		{"::", true, "::", true, BIND_OVERLAP_SAME},
		{"::1", false, "::", false, BIND_OVERLAP_NARROWER},
		{"::1", true, "::1", false, BIND_OVERLAP_SAME},
		{"::1", true, "0.0.0.0", false, BIND_OVERLAP_NONE},
		{"::ffff:127.0.0.1", false, "127.0.0.1", false, BIND_OVERLAP_SAME},
		{"::ffff:0.0.0.0", false, "0.0.0.0", false, BIND_OVERLAP_SAME},
		{"::ffff:127.0.0.1", false, "0.0.0.0", false, BIND_OVERLAP_NARROWER},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bind_address asked = address_of(cases[i].asked, 80, cases[i].asked_only);
		struct bind_address listener =
			address_of(cases[i].listener, 80, cases[i].listener_only);

		if (bind_address_compare(&asked, &listener) != cases[i].overlap)
			fail_msg("case %zu: %s at %s", i, cases[i].asked, cases[i].listener);
		listener.port = 81;
		assert_int_equal(bind_address_compare(&asked, &listener), BIND_OVERLAP_NONE);
	}
}

static void the_best_listener_is_found(void **state)
{
	const struct bind_address listeners[] = {
		address_of("0.0.0.0", 80, false),
		address_of("127.0.0.1", 80, false),
		address_of("127.0.0.1", 81, false),
		address_of("::1", 81, false),
	};
	struct bind_address asked = address_of("127.0.0.1", 80, false);

	(void)state;
	assert_int_equal(bind_address_find(&asked, listeners, 4, 0), 1);
	/* The same listener is also found when the worker has bound it already. */
	assert_int_equal(bind_address_find(&asked, listeners, 4, 1u << 1), 1);
	asked = address_of("127.0.0.9", 80, false);
	assert_int_equal(bind_address_find(&asked, listeners, 4, 0), 0);
	/*
	 * A worker that asks for both families gets one listener after the other, and then the
	 * first again.
	 */
	asked = address_of("::", 81, false);
	assert_int_equal(bind_address_find(&asked, listeners, 4, 0), 2);
	assert_int_equal(bind_address_find(&asked, listeners, 4, 1u << 2), 3);
	assert_int_equal(bind_address_find(&asked, listeners, 4, 3u << 2), 2);
	asked = address_of("127.0.0.1", 82, false);
	assert_int_equal(bind_address_find(&asked, listeners, 4, 0), -1);
	assert_int_equal(bind_address_find(&asked, listeners, 0, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_those_of_the_option),
		cmocka_unit_test(a_zone_is_part_of_a_link_local_address),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(unspecified_is_every_address_of_v4_alone),
		cmocka_unit_test(each_pair_of_addresses_overlaps_as_in_the_kernel),
		cmocka_unit_test(the_best_listener_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
