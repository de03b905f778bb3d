// SPDX-License-Identifier: MIT
/*
 * Finding the client whose request a proxy forwards: items, lists, header lines, and heads that
 * arrive in parts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "handoff/client_ip.h"
#include "../support/guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define XFF	     "X-Forwarded-For"
#define REQUEST	     "GET /path?query HTTP/1.1\r\nHost: example.org\r\n"
#define PROXY	     "10.0.0.1"
#define ROOM	     8192 /* for the longest head here */

/* Every head that is parsed is copied to this place. */
static struct guard guard;

static struct sockaddr_storage address_of(const char *text)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (void *)&address;
	struct sockaddr_in6 *v6 = (void *)&address;

	address.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(address.ss_family, text,
		      address.ss_family == AF_INET ? (void *)&v4->sin_addr : &v6->sin6_addr) != 1)
		fail_msg("\"%s\" is no address", text);
	return address;
}

static bool is_same(const struct client_ip_answer *a, const struct client_ip_answer *b)
{
	return !memcmp(&a->client, &b->client, sizeof(a->client)) &&
	       a->keeps_alive == b->keeps_alive && a->has_header == b->has_header &&
	       a->head_bytes == b->head_bytes;
}

/* The head is parsed twice, so that one byte too far on either side is unreadable. */
static enum client_ip_result find_from(const void *peer, const char *head, size_t length,
				       const char *header, struct client_ip_answer *ret_answer)
{
	struct client_ip_answer again;
	struct prefixes trusted;
	size_t count;
	const struct sticky_prefix *list = prefixes_default(&count);
	enum client_ip_result result;

	assert_int_equal(prefixes_init(&trusted, list, count), 0);
	result = client_ip_find(guard_at_end(&guard, head, length), length, header, &trusted, peer,
				ret_answer);
	assert_int_equal(client_ip_find(guard_at_start(&guard, head, length), length, header,
					&trusted, peer, &again),
			 result);
	if (result == CLIENT_IP_FOUND || result == CLIENT_IP_NONE)
		assert_true(is_same(&again, ret_answer));
	prefixes_fini(&trusted);
	return result;
}

static enum client_ip_result find(const char *head, size_t length, const char *header,
				  struct client_ip_answer *ret_answer)
{
	struct sockaddr_storage peer = address_of(PROXY);

	return find_from(&peer, head, length, header, ret_answer);
}

static bool is_client(const struct client_ip_answer *answer, const char *text)
{
	struct sockaddr_storage expected = address_of(text);

	return !memcmp(&answer->client, &expected, sizeof(expected));
}

static void expect_untouched(const struct client_ip_answer *answer)
{
	struct client_ip_answer untouched;

	memset(&untouched, 0xa5, sizeof(untouched));
	assert_memory_equal(answer, &untouched, sizeof(untouched));
}

/*
 * Parse a complete head, every part of it that may have arrived so far, and the head with bytes
 * behind it. Returns the result for the whole head.
 */
static enum client_ip_result find_in_parts(const char *head, size_t length, const char *header,
					   struct client_ip_answer *ret_answer)
{
	static const char behind[] = "\r\n" XFF ": 198.51.100.99\r\n\r\n";
	struct client_ip_answer part;
	enum client_ip_result result = find(head, length, header, ret_answer);
	char *longer = malloc(length + sizeof(behind));
	size_t i;

	if (result != CLIENT_IP_FOUND && result != CLIENT_IP_NONE)
		fail_msg("\"%s\" gave %d", head, result);
	assert_int_equal(ret_answer->head_bytes, length);
	for (i = 0; i < length; i++) {
		memset(&part, 0xa5, sizeof(part));
		if (find(head, i, header, &part) != CLIENT_IP_MORE)
			fail_msg("\"%s\" was answered after %zu bytes", head, i);
		expect_untouched(&part);
	}
	assert_non_null(longer);
	memcpy(longer, head, length);
	memcpy(longer + length, behind, sizeof(behind));
	for (i = 1; i <= sizeof(behind); i++) {
		assert_int_equal(find(longer, length + i, header, &part), result);
		assert_true(is_same(&part, ret_answer));
	}
	free(longer);
	return result;
}

/* Check which client is found in a head. If client is NULL, it must be the peer itself. */
static void expect_client(const char *head, const char *header, const char *client)
{
	struct client_ip_answer answer;
	enum client_ip_result result = find_in_parts(head, strlen(head), header, &answer);

	if (result != (client ? CLIENT_IP_FOUND : CLIENT_IP_NONE))
		fail_msg("\"%s\" gave %d", head, result);
	if (client && !is_client(&answer, client))
		fail_msg("\"%s\" is not from %s", head, client);
	if (!client)
		assert_int_equal(answer.client.ss_family, AF_UNSPEC);
}

static void expect_client_of_list(const char *list, const char *client)
{
	char head[512];

	snprintf(head, sizeof(head), REQUEST XFF ": %s\r\n\r\n", list);
	expect_client(head, XFF, client);
}

static void expect_client_of_forwarded(const char *list, const char *client)
{
	char head[512];

	snprintf(head, sizeof(head), REQUEST "Forwarded: %s\r\n\r\n", list);
	expect_client(head, "forwarded", client);
}

/* ---- Items ---------------------------------------------------------------------------- */

static void addresses_are_read(void **state)
{
	static const char *const good[][2] = {
		{"203.0.113.9", "203.0.113.9"},
		{"203.0.113.9:5678", "203.0.113.9"},
		{"203.0.113.9:0", "203.0.113.9"},
		{"0.0.0.0", "0.0.0.0"},
		{"255.255.255.255:65535", "255.255.255.255"},
		{"2001:db8::1", "2001:db8::1"},
		{"2001:DB8:0::1", "2001:db8::1"},
		{"[2001:db8::1]", "2001:db8::1"},
		{"[2001:db8::1]:443", "2001:db8::1"},
		{"2001:db8::1:443", "2001:db8::1:443"},
		{"fe80::1%eth0", "fe80::1"},
		{"[fe80::1%eth0]", "fe80::1"},
		{"[fe80::1%25eth0.100]:443", "fe80::1"},
		{"::ffff:203.0.113.9", "203.0.113.9"},
		{"::FFFF:cb00:7109", "203.0.113.9"},
		{"[::ffff:203.0.113.9]:443", "203.0.113.9"},
		{"::203.0.113.9", "::203.0.113.9"},
		{"\"203.0.113.9\"", "203.0.113.9"},
		{"\"203.0.113.9:5678\"", "203.0.113.9"},
		{"\"2001:db8::1\"", "2001:db8::1"},
		{"\"[2001:db8::1]:4711\"", "2001:db8::1"},
		{"1111:2222:3333:4444:5555:6666:255.255.255.255",
		 "1111:2222:3333:4444:5555:6666:255.255.255.255"},
	};
	char element[128];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		expect_client_of_list(good[i][0], good[i][1]);
		snprintf(element, sizeof(element), "for=%s", good[i][0]);
		expect_client_of_forwarded(element, good[i][1]);
	}
}

static void what_is_no_address_is_not_read(void **state)
{
	static const char *const bad[] = {
		"unknown",
		"_hidden",
		"localhost",
		"example.org:80",
		"1",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"01.2.3.4",
		"1.2.3.04",
		"1.2.3.0x4",
		"0x7f.1",
		"2130706433",
		"1.2.3.4 5.6.7.8",
		"1.2.3.4;5.6.7.8",
		"1.2.3.4/32",
		"1.2.3.4:",
		"1.2.3.4:http",
		"1.2.3.4:80a",
		"1.2.3.4:-80",
		"1.2.3.4: 80",
		"1.2.3.4 :80",
		"1.2.3.4%eth0",
		"1. 2.3.4",
		"1.2.3.4\r\n .5",
		"1.2.\r\n 3.4",
		"[1.2.3.4]",
		"[1.2.3.4]:80",
		"[]",
		"[]:80",
		"[",
		"]",
		"[2001:db8::1",
		"2001:db8::1]",
		"[2001:db8::1]443",
		"[2001:db8::1]:",
		"[2001:db8::1]:a",
		"[2001:db8::1]]",
		"[[2001:db8::1]]",
		"[ 2001:db8::1]",
		"[203.0.113.9]",
		"2001:db8:::1",
		"2001:db8::g",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"2001:db8::1%",
		"[2001:db8::1%]",
		"2001:db8::1%a b",
		"%eth0",
		":",
		"::1::",
		":80",
		"\"",
		"\"\"",
		"\"1.2.3.4",
		"\"1.2.3.44",
		"\"2001:db8::11",
		"1.2.3.4\"",
		"\"\"1.2.3.4\"\"",
		"\" 1.2.3.4\"",
		"\"\\1.2.3.4\"",
		"'1.2.3.4'",
		"1111:2222:3333:4444:5555:6666:255.255.255.2555",
		"000000000000000000000000000000000000000000001.2.3.4",
	};
	char element[128];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		expect_client_of_list(bad[i], NULL);
		if (strchr(bad[i], ';'))
			continue;
		snprintf(element, sizeof(element), "for=%s", bad[i]);
		expect_client_of_forwarded(element, NULL);
	}
}

/* ---- Lists ---------------------------------------------------------------------------- */

static void lists_are_believed_from_the_right(void **state)
{
	static const char *const lists[][2] = {
		{"203.0.113.9, 10.0.0.7", "203.0.113.9"},
		{"198.51.100.1, 203.0.113.9", "203.0.113.9"},
		{"198.51.100.1, 203.0.113.9, 10.0.0.7, 127.0.0.1, fd00::1", "203.0.113.9"},
		{"10.0.0.9, 203.0.113.9, 10.0.0.7", "203.0.113.9"},
		/* All are trusted: the client is the one farthest to the left. */
		{"10.0.0.9, 10.0.0.8, 10.0.0.7", "10.0.0.9"},
		{"192.168.1.1", "192.168.1.1"},
		{"::ffff:10.0.0.9, ::ffff:10.0.0.7", "10.0.0.9"},
		{"203.0.113.9, ::ffff:10.0.0.7", "203.0.113.9"},
		/* An item that is not an address hides all items to the left of it. */
		{"203.0.113.9, unknown", NULL},
		{"203.0.113.9, unknown, 10.0.0.7", "10.0.0.7"},
		{"203.0.113.9, 10.0.0.9, unknown, 10.0.0.8, 10.0.0.7", "10.0.0.8"},
		{"unknown, 203.0.113.9", "203.0.113.9"},
		{"unknown", NULL},
		{"203.0.113.9 10.0.0.7", NULL},
		/* An empty item is ignored. */
		{"203.0.113.9,", "203.0.113.9"},
		{",203.0.113.9", "203.0.113.9"},
		{" , ,203.0.113.9,,10.0.0.7 ,\t, ", "203.0.113.9"},
		{"", NULL},
		{",", NULL},
		{" ,\t, ", NULL},
		/* White space is ignored. */
		{"\t 203.0.113.9\t ,\t10.0.0.7 \t", "203.0.113.9"},
		{"203.0.113.9,10.0.0.7", "203.0.113.9"},
		/* A quoted string is one item. A quote that is never closed hides nothing. */
		{"\"203.0.113.9\", \"10.0.0.7\"", "203.0.113.9"},
		{"\"198.51.100.1, 203.0.113.9", "203.0.113.9"},
		{"\"198.51.100.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"},
		{"\\\"198.51.100.1\", 203.0.113.9", "203.0.113.9"},
		{"198.51.100.1\\,\"203.0.113.9\"", "203.0.113.9"},
		{"203.0.113.9, \"a, 198.51.100.1\"", NULL},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(lists); i++)
		expect_client_of_list(lists[i][0], lists[i][1]);
}

static void forwarded_is_read_by_its_for_parameters(void **state)
{
	static const char *const lists[][2] = {
		{"for=203.0.113.9", "203.0.113.9"},
		{"For=203.0.113.9", "203.0.113.9"},
		{"FOR=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"},
		{"for=203.0.113.9;proto=http;by=10.0.0.7", "203.0.113.9"},
		{"by=10.0.0.7;for=203.0.113.9;proto=http", "203.0.113.9"},
		{"proto=http; by=10.0.0.7; for=203.0.113.9", "203.0.113.9"},
		{";;for=203.0.113.9;", "203.0.113.9"},
		{"for=198.51.100.1, for=203.0.113.9;by=10.0.0.8, for=10.0.0.7", "203.0.113.9"},
		{"for=10.0.0.8, for=10.0.0.7", "10.0.0.8"},
		{"for=203.0.113.9, for=unknown", NULL},
		{"for=203.0.113.9, for=_hidden, for=10.0.0.7", "10.0.0.7"},
		{"for=203.0.113.9, for=\"_hidden:80\"", NULL},
		/*
		 * A proxy that wrote an element without for= is not believed about the elements to
		 * the left.
		 */
		{"for=203.0.113.9, proto=http", NULL},
		{"for=203.0.113.9, by=10.0.0.8, for=10.0.0.7", "10.0.0.7"},
		{"for=203.0.113.9, ;", NULL},
		{"for=203.0.113.9;for=198.51.100.1", NULL},
		{"203.0.113.9", NULL},
		{"for=", NULL},
		{"for", NULL},
		{"for =203.0.113.9", NULL},
		{"for= 203.0.113.9x", NULL},
		{"before=203.0.113.9", NULL},
		{"by=203.0.113.9", NULL},
		/* A quoted string is one value, whatever it contains. */
		{"for=203.0.113.9;host=\"a, for=198.51.100.1;b=c\"", "203.0.113.9"},
		{"for=203.0.113.9;host=\"a;for=198.51.100.1\"", "203.0.113.9"},
		{"for=203.0.113.9;host=\"\\\", for=198.51.100.1\"", "203.0.113.9"},
		{"for=203.0.113.9;host=\"\\\\\", for=10.0.0.7", "203.0.113.9"},
		{"for=203.0.113.9;host=\"a\\\\\\\", for=198.51.100.1\"", "203.0.113.9"},
		/*
		 * A quote that a client did not close does not swallow the element that a proxy
		 * appended.
		 */
		{"for=\"198.51.100.1, for=203.0.113.9", "203.0.113.9"},
		{"for=\"198.51.100.1, for=203.0.113.9;host=\"a\", for=10.0.0.7", "203.0.113.9"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(lists); i++)
		expect_client_of_forwarded(lists[i][0], lists[i][1]);
}

static void another_header_is_no_forwarded(void **state)
{
	(void)state;
	expect_client_of_list("for=203.0.113.9", NULL);
	expect_client(REQUEST "CF-Connecting-IP: 203.0.113.9\r\n" XFF ": 198.51.100.1\r\n\r\n",
		      "cf-connecting-ip", "203.0.113.9");
	expect_client(REQUEST "X: 203.0.113.9\r\nXX: 198.51.100.1\r\n\r\n", "x", "203.0.113.9");
}

/* ---- Header lines --------------------------------------------------------------------- */

static void the_name_is_whole_and_in_any_case(void **state)
{
	static const char *const lines[][2] = {
		{"X-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"},
		{"x-forwarded-for:203.0.113.9\r\n", "203.0.113.9"},
		{"X-FORWARDED-FOR:\t203.0.113.9\r\n", "203.0.113.9"},
		{"X-Forwarded-For-Evil: 203.0.113.9\r\n", NULL},
		{"Evil-X-Forwarded-For: 203.0.113.9\r\n", NULL},
		{"X-Forwarded-Fo: 203.0.113.9\r\n", NULL},
		{"X-Forwarded-For : 203.0.113.9\r\n", NULL},
		{"X-Forwarded-For\t: 203.0.113.9\r\n", NULL},
		{"X-Forwarded-For\r: 203.0.113.9\r\n", NULL},
		{" X-Forwarded-For: 203.0.113.9\r\n", NULL}, /* it continues the line of Host */
		{"X_Forwarded_For: 203.0.113.9\r\n", NULL},
		{"X-Forwarded-For 203.0.113.9\r\n", NULL},
		{"X-Forwarded-For\r\n", NULL},
		{"X-Forwarded-For:\r\n", NULL},
		{"Cookie: X-Forwarded-For: 203.0.113.9\r\n", NULL},
		{"Cookie: a\rX-Forwarded-For: 203.0.113.9\r\n", NULL},
		{": 203.0.113.9\r\n", NULL},
	};
	char head[256];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(lines); i++) {
		snprintf(head, sizeof(head), REQUEST "%sAccept: *\r\n\r\n", lines[i][0]);
		expect_client(head, XFF, lines[i][1]);
		snprintf(head, sizeof(head), REQUEST "%s\r\n", lines[i][0]);
		expect_client(head, XFF, lines[i][1]);
	}
}

static void lines_of_the_name_are_one_list(void **state)
{
	static const char *const heads[][2] = {
		{REQUEST "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n",
		 "203.0.113.9"},
		{REQUEST "X-Forwarded-For: 198.51.100.1, 203.0.113.9\r\nA: b\r\n"
			 "x-forwarded-for: 10.0.0.7\r\nC: d\r\n\r\n",
		 "203.0.113.9"},
		{REQUEST "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For:\r\n\r\n", "203.0.113.9"},
		{REQUEST "X-Forwarded-For: 10.0.0.9\r\nX-Forwarded-For: 10.0.0.7\r\n\r\n",
		 "10.0.0.9"},
		{REQUEST "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: unknown\r\n"
			 "X-Forwarded-For: 10.0.0.7\r\n\r\n",
		 "10.0.0.7"},
		{REQUEST "X-Forwarded-For: \"\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n",
		 "203.0.113.9"},
		/* folded */
		{REQUEST "X-Forwarded-For: 198.51.100.1,\r\n 203.0.113.9\r\n\r\n", "203.0.113.9"},
		{REQUEST
		 "X-Forwarded-For:\r\n\t203.0.113.9\r\n ,\r\n 10.0.0.7\r\n \r\nA: b\r\n\r\n",
		 "203.0.113.9"},
		{REQUEST "X-Forwarded-For:\n 203.0.113.9\n\n", "203.0.113.9"},
		{REQUEST "A: b\r\n X-Forwarded-For: 203.0.113.9\r\n\r\n", NULL},
		{REQUEST "A: b\r\n ,c\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n", "203.0.113.9"},
		{"GET / HTTP/1.1\r\n X-Forwarded-For: 203.0.113.9\r\n\r\n", NULL},
		{"GET / HTTP/1.1\r\n A: b\r\n c\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n",
		 "203.0.113.9"},
		/* some line ends have no CR */
		{"GET / HTTP/1.1\nX-Forwarded-For: 203.0.113.9\n\n", "203.0.113.9"},
		{"GET / HTTP/1.1\nX-Forwarded-For: 203.0.113.9\r\nA: b\n\r\n", "203.0.113.9"},
		{"GET / HTTP/1.1\r\nX-Forwarded-For: 203.0.113.9\r\r\n\n", "203.0.113.9"},
		{"GET / HTTP/1.1\r\n\r\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n", "203.0.113.9"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(heads); i++)
		expect_client(heads[i][0], XFF, heads[i][1]);
}

static void a_header_is_noticed_even_where_it_is_not_believed(void **state)
{
	static const char with[] = REQUEST XFF ": unknown\r\n\r\n";
	static const char without[] = REQUEST "\r\n";
	struct client_ip_answer answer;

	(void)state;
	assert_int_equal(find(with, strlen(with), XFF, &answer), CLIENT_IP_NONE);
	assert_true(answer.has_header);
	assert_int_equal(find(without, strlen(without), XFF, &answer), CLIENT_IP_NONE);
	assert_false(answer.has_header);
	assert_int_equal(find(with, strlen(with), "Forwarded", &answer), CLIENT_IP_NONE);
	assert_false(answer.has_header);
}

/* ---- Faults of an earlier module ---------------------------------------------------------- */

/*
 * Here one client has its address in all forms in which proxies may write it. Its worker must not
 * change.
 */
static void one_client_is_one_address_however_it_is_written(void **state)
{
	static const char *const heads[] = {
		REQUEST "X-Forwarded-For: 203.0.113.9\r\n\r\n",
		REQUEST "X-Forwarded-For: 203.0.113.9\n\n",
		REQUEST "X-Forwarded-For:203.0.113.9\r\n\r\n",
		REQUEST "X-Forwarded-For:    203.0.113.9   \r\n\r\n",
		REQUEST "X-Forwarded-For: 203.0.113.9, 10.0.0.7\r\n\r\n",
		REQUEST "X-Forwarded-For: 203.0.113.9, 10.0.0.7, 10.0.0.8\r\n\r\n",
		REQUEST "X-Forwarded-For: 198.51.100.1, 203.0.113.9\r\n\r\n",
		REQUEST "X-Forwarded-For: 203.0.113.9:4711\r\nConnection: close\r\n\r\n",
		REQUEST "X-Forwarded-For: ::ffff:203.0.113.9\r\n\r\n",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(heads); i++)
		expect_client(heads[i], XFF, "203.0.113.9");
}

static void the_body_says_nothing(void **state)
{
	static const char *const requests[] = {
		"POST / HTTP/1.1\r\nContent-Length: 30\r\n\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n",
		"POST / HTTP/1.1\nContent-Length: 30\n\nX-Forwarded-For: 203.0.113.9\r\n\r\n",
		"POST / HTTP/1.1\r\n\n203.0.113.9\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n",
	};
	struct client_ip_answer answer;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(requests); i++) {
		assert_int_equal(find(requests[i], strlen(requests[i]), XFF, &answer),
				 CLIENT_IP_NONE);
		assert_false(answer.has_header);
		assert_true(answer.head_bytes < strlen(requests[i]));
	}
}

static void not_anyone_is_believed(void **state)
{
	static const char head[] = "GET / HTTP/1.0\r\n" XFF ": 203.0.113.9\r\n\r\nbody";
	static const char *const strangers[] = {"198.51.100.1", "2001:db8::1", "11.0.0.0"};
	static const char *const proxies[] = {"10.255.0.1", "::ffff:10.0.0.1", "fe80::1", "::1"};
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct client_ip_answer answer;
	struct sockaddr_storage peer;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(strangers); i++) {
		peer = address_of(strangers[i]);
		assert_int_equal(find_from(&peer, head, 5, XFF, &answer), CLIENT_IP_MORE);
		assert_int_equal(find_from(&peer, head, strlen(head), XFF, &answer),
				 CLIENT_IP_NONE);
		assert_int_equal(answer.client.ss_family, AF_UNSPEC);
		assert_true(answer.has_header);
		assert_false(answer.keeps_alive);
		assert_int_equal(answer.head_bytes, strlen(head) - strlen("body"));
	}
	for (i = 0; i < COUNT(proxies); i++) {
		peer = address_of(proxies[i]);
		assert_int_equal(find_from(&peer, head, strlen(head), XFF, &answer),
				 CLIENT_IP_FOUND);
		assert_true(is_client(&answer, "203.0.113.9"));
	}
	assert_int_equal(find_from(&local, head, strlen(head), XFF, &answer), CLIENT_IP_NONE);
}

/* ---- Requests ------------------------------------------------------------------------- */

static void empty_lines_in_front_are_skipped(void **state)
{
	(void)state;
	expect_client("\r\n" REQUEST XFF ": 203.0.113.9\r\n\r\n", XFF, "203.0.113.9");
	expect_client("\n\r\n\n\n" REQUEST XFF ": 203.0.113.9\r\n\r\n", XFF, "203.0.113.9");
	expect_client("\r\nGET /\r\n", XFF, NULL);
}

static void request_lines_are_taken_as_servers_take_them(void **state)
{
	static const char *const lines[] = {
		"GET / HTTP/1.1\r\n",
		"GET / HTTP/1.0\r\n",
		"GET / HTTP/1.9\n",
		"OPTIONS * HTTP/1.1\r\n",
		"CONNECT example.org:443 HTTP/1.1\r\n",
		"UPDATEREDIRECTREF http://example.org/ HTTP/1.1\r\n",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345 / HTTP/1.1\r\n", /* 32 bytes */
		"!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n",
		"GET /with a space HTTP/1.1\r\n",
		"GET  /  HTTP/1.1  \r\n",
		"GET /\xc3\xa4\xff HTTP/1.1\r\n",
		"PRI / HTTP/1.1\r\n",
	};
	char head[256];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(lines); i++) {
		snprintf(head, sizeof(head), "%s" XFF ": 203.0.113.9\r\n\r\n", lines[i]);
		expect_client(head, XFF, "203.0.113.9");
	}
}

static void before_and_after_http_1_there_is_no_header(void **state)
{
	static const char *const lines[] = {
		"GET /\r\n",	      "GET /\n",
		"GET / \r\n",	      "GET /a?b\n",
		"PRI * HTTP/2.0\r\n", "\r\nPRI * HTTP/2.0\r\n",
	};
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	struct client_ip_answer answer;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(lines); i++) {
		assert_int_equal(find_in_parts(lines[i], strlen(lines[i]), XFF, &answer),
				 CLIENT_IP_NONE);
		assert_false(answer.keeps_alive);
		assert_false(answer.has_header);
	}
	assert_int_equal(find(preface, strlen(preface), XFF, &answer), CLIENT_IP_NONE);
	assert_false(answer.keeps_alive);
}

/*
 * Text that is not HTTP is refused as soon as possible. `bytes` is the number of bytes after which
 * the result is known.
 */
static void what_is_not_http_is_not_waited_for(void **state)
{
#define BYTES(text) text, sizeof(text) - 1
	static const struct {
		const char *text;
		size_t length, bytes;
	} others[] = {
		{BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), 1},
		{BYTES("\r\n\x16"), 3},
		{BYTES("\0GET / HTTP/1.1\r\n\r\n"), 1},
		{BYTES(" GET / HTTP/1.1\r\n\r\n"), 1},
		{BYTES("\rGET / HTTP/1.1\r\n\r\n"), 2},
		{BYTES("\r\r\n"), 2},
		{BYTES("G\0T / HTTP/1.1\r\n\r\n"), 2},
		{BYTES("G\xc3T / HTTP/1.1\r\n\r\n"), 2},
		{BYTES("G(T / HTTP/1.1\r\n\r\n"), 2},
		{BYTES("GET\t/ HTTP/1.1\r\n\r\n"), 4},
		{BYTES("GET\r\n\r\n"), 4},
		{BYTES("GET\n\r\n"), 4},
		{BYTES("GET \r\n"), 6},
		{BYTES("GET /\0 HTTP/1.1\r\n\r\n"), 6},
		{BYTES("GET /\t HTTP/1.1\r\n\r\n"), 6},
		{BYTES("GET /\x7f HTTP/1.1\r\n\r\n"), 6},
		{BYTES("GET /\r HTTP/1.1\r\n\r\n"), 7},
		{BYTES("GET / HTTP/1.1\r\r\n\r\n"), 16},
		{BYTES("GET / HTTP/1.1\r\0\n\r\n"), 16},
		{BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456 / HTTP/1.1\r\n\r\n"), 33},
		{BYTES("HELO\r\n"), 5},
		{BYTES("HELO example.org\r\n"), 18},
		{BYTES("SSH-2.0-OpenSSH_9.2\r\n"), 20},
		{BYTES("get /\r\n"), 7},
		{BYTES("POST /\r\n"), 8},
		{BYTES("GET / a\r\n\r\n"), 9},
		{BYTES("GET / http/1.1\r\n\r\n"), 16},
		{BYTES("GET / HTTP/1.\r\n\r\n"), 15},
		{BYTES("GET / HTTP/1.x\r\n\r\n"), 16},
		{BYTES("GET / HTTP/1.10\r\n\r\n"), 17},
		{BYTES("GET / HTTP/2.0\r\n\r\n"), 16},
		{BYTES("PRI / HTTP/2.0\r\n\r\n"), 16},
		{BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"), 32},
		{BYTES("\r\n\r\n\0\r\nQUIT\n!\x11\x00\x0c"), 5},
	};
#undef BYTES
	struct client_ip_answer answer;
	size_t i, length;

	(void)state;
	memset(&answer, 0xa5, sizeof(answer));
	for (i = 0; i < COUNT(others); i++) {
		for (length = 0; length <= others[i].length; length++)
			if (find(others[i].text, length, XFF, &answer) !=
			    (length < others[i].bytes ? CLIENT_IP_MORE : CLIENT_IP_NOT_HTTP))
				fail_msg("\"%s\" after %zu bytes", others[i].text, length);
		expect_untouched(&answer);
	}
}

static void nul_is_a_byte_like_others(void **state)
{
	static const char between[] = REQUEST XFF ": 203.0.113.9, 10.0.0.7\0, 10.0.0.8\r\n\r\n";
	static const char alone[] = REQUEST XFF ": \0\r\n\r\n";
	static const char in_name[] = REQUEST "X-Forwarded-For\0: 203.0.113.9\r\n\r\n";
	static const char cut_name[] = REQUEST "X-Forwarded\0For: 203.0.113.9\r\n\r\n";
	static const char elsewhere[] = REQUEST "A\0: \0b\r\n" XFF ": 203.0.113.9\r\n\r\n";
	static const char option[] = REQUEST "Connection: close\0\r\n\r\n";
	struct client_ip_answer answer;

	(void)state;
	assert_int_equal(find_in_parts(between, sizeof(between) - 1, XFF, &answer),
			 CLIENT_IP_FOUND);
	assert_true(is_client(&answer, "10.0.0.8"));
	assert_int_equal(find_in_parts(alone, sizeof(alone) - 1, XFF, &answer), CLIENT_IP_NONE);
	assert_int_equal(find_in_parts(in_name, sizeof(in_name) - 1, XFF, &answer), CLIENT_IP_NONE);
	assert_int_equal(find_in_parts(cut_name, sizeof(cut_name) - 1, XFF, &answer),
			 CLIENT_IP_NONE);
	assert_int_equal(find_in_parts(elsewhere, sizeof(elsewhere) - 1, XFF, &answer),
			 CLIENT_IP_FOUND);
	assert_true(is_client(&answer, "203.0.113.9"));
	assert_int_equal(find_in_parts(option, sizeof(option) - 1, XFF, &answer), CLIENT_IP_NONE);
	assert_true(answer.keeps_alive);
}

static void who_keeps_the_connection_is_known(void **state)
{
	static const struct {
		const char *head;
		bool keeps_alive;
	} heads[] = {
		{"GET / HTTP/1.1\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nconnection:CLOSE\n\r\n", false},
		{"GET / HTTP/1.1\r\nConnection: TE , Close,\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nConnection: TE\r\nConnection: close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nConnection: close\r\nConnection: TE\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nConnection: TE,\r\n close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nConnection: closed\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nConnection: clos\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nConnection: not close\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nConnection : close\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nProxy-Connection: close\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", true},
		{"GET / HTTP/1.7\r\n\r\n", true},
		{"GET / HTTP/1.0\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
		{"GET / HTTP/1.0\r\nConnection: TE, keep-alive\r\n\r\n", true},
		{"GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nConnection: keep-alive, upgrade\r\n\r\n", false},
		{"GET / HTTP/1.1\r\n\r\nConnection: close\r\n\r\n", true},
		/* the result is found before all lines have been read */
		{"GET / HTTP/1.1\r\nConnection: close\r\n" XFF ": 203.0.113.9\r\n\r\n", false},
		{"GET / HTTP/1.1\r\n" XFF ": 203.0.113.9\r\nConnection: close\r\n\r\n", false},
	};
	struct client_ip_answer answer;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(heads); i++) {
		enum client_ip_result result =
			find(heads[i].head, strlen(heads[i].head), XFF, &answer);

		assert_true(result == CLIENT_IP_NONE || result == CLIENT_IP_FOUND);
		if (answer.keeps_alive != heads[i].keeps_alive)
			fail_msg("\"%s\"", heads[i].head);
	}
}

static void nothing_is_not_yet_a_head(void **state)
{
	struct sockaddr_storage peer = address_of(PROXY);
	struct client_ip_answer answer;
	struct prefixes trusted;

	(void)state;
	assert_int_equal(prefixes_init(&trusted, NULL, 0), 0);
	assert_int_equal(client_ip_find(NULL, 0, XFF, &trusted, (const void *)&peer, &answer),
			 CLIENT_IP_MORE);
	prefixes_fini(&trusted);
}

/* ---- Random lists, with the expected client ------------------------------------------- */

enum kind { TRUSTED, UNTRUSTED, NO_ADDRESS, EMPTY, KIND_COUNT };

struct item {
	enum kind kind;
	const char *text;
	const char *address;
};

static const struct item items[] = {
	{TRUSTED, "10.1.2.3", "10.1.2.3"},
	{TRUSTED, "127.0.0.1:80", "127.0.0.1"},
	{TRUSTED, "\"[fd00::7]:4711\"", "fd00::7"},
	{TRUSTED, "::ffff:192.168.0.9", "192.168.0.9"},
	{TRUSTED, "fe80::1%eth0", "fe80::1"},
	{UNTRUSTED, "203.0.113.9", "203.0.113.9"},
	{UNTRUSTED, "198.51.100.7:1", "198.51.100.7"},
	{UNTRUSTED, "2001:db8::1", "2001:db8::1"},
	{UNTRUSTED, "[2001:db8::2]:443", "2001:db8::2"},
	{UNTRUSTED, "\"[::ffff:203.0.113.10]\"", "203.0.113.10"},
	{NO_ADDRESS, "unknown", NULL},
	{NO_ADDRESS, "1.2.3.4.5", NULL},
	{NO_ADDRESS, "[::1", NULL},
	{EMPTY, "", NULL},
};

static const char *one_of(const char *const *texts, size_t count)
{
	return texts[(size_t)rand() % count];
}

#define ONE_OF(...)                                                                                \
	one_of((const char *const[]){__VA_ARGS__}, COUNT(((const char *const[]){__VA_ARGS__})))

struct draft {
	char head[4096];
	size_t length;
	bool is_forwarded;
	const char *client; /* the expected client; NULL: the peer itself */
};

static void append(struct draft *draft, const char *text)
{
	size_t length = strlen(text);

	assert_true(draft->length + length < sizeof(draft->head));
	memcpy(draft->head + draft->length, text, length + 1);
	draft->length += length;
}

static void append_space(struct draft *draft)
{
	append(draft, ONE_OF("", "", " ", "\t", "  ", "\r\n ", "\n\t \r\n "));
}

static void append_item(struct draft *draft, const struct item *item)
{
	append_space(draft);
	if (draft->is_forwarded && item->kind != EMPTY) {
		append(draft, ONE_OF("", "", "proto=http;", "host=\"a,b;for=1.2.3.4\"; "));
		append(draft, ONE_OF("for=", "For="));
		append(draft, item->text);
		append(draft, ONE_OF("", "", ";by=_me", " ;host=\"\\\"\\\\\"", ";"));
	} else {
		append(draft, item->text);
	}
	append_space(draft);
}

static void append_name(struct draft *draft)
{
	append(draft, draft->is_forwarded ? ONE_OF("Forwarded:", "forwarded:")
					  : ONE_OF("X-Forwarded-For:", "x-forwarded-FOR:"));
}

/* Note an item of the list, from left to right. The module reads the list from right to left. */
static void note_item(struct draft *draft, const struct item *item)
{
	if (item->kind == UNTRUSTED || (item->kind == TRUSTED && !draft->client))
		draft->client = item->address;
	else if (item->kind == NO_ADDRESS)
		draft->client = NULL;
}

static void draw_head(struct draft *draft)
{
	size_t count = (size_t)rand() % 7, i;

	*draft = (struct draft){.is_forwarded = rand() % 2};
	append(draft, ONE_OF("", "", "\r\n", "\n"));
	append(draft, ONE_OF("GET / HTTP/1.1\r\n", "POST /a HTTP/1.0\n"));
	append(draft, ONE_OF("", "Host: a\r\n", " folded\r\n", "X-Forwarded-Fo: 1.2.3.4\n"));
	for (i = 0; i < count; i++) {
		const struct item *item = &items[(size_t)rand() % COUNT(items)];
		bool begins = i == 0 || rand() % 3 == 0;

		if (begins && i)
			append(draft,
			       ONE_OF("\r\n", "\n", "\r\nA: b, \"\r\n", "\r\nForwarde: x\n"));
		if (begins)
			append_name(draft);
		else
			append(draft, ",");
		append_item(draft, item);
		note_item(draft, item);
	}
	append(draft, count ? ONE_OF("\r\n", "\n") : "");
	append(draft, ONE_OF("", "Accept: *\r\n", "Connection: close\n"));
	append(draft, ONE_OF("\r\n", "\n"));
}

static void random_lists_give_what_was_put_in(void **state)
{
	struct client_ip_answer answer;
	struct draft draft;
	unsigned int round;

	(void)state;
	srand(1);
	for (round = 0; round < 20000; round++) {
		const char *header;
		enum client_ip_result result;

		draw_head(&draft);
		header = draft.is_forwarded ? "Forwarded" : XFF;
		if (round < 500)
			expect_client(draft.head, header, draft.client);
		result = find(draft.head, draft.length, header, &answer);
		if (result != (draft.client ? CLIENT_IP_FOUND : CLIENT_IP_NONE) ||
		    (draft.client && !is_client(&answer, draft.client)))
			fail_msg("\"%s\" is not from %s", draft.head, draft.client);
	}
}

static int make_guard(void **state)
{
	(void)state;
	return guard_init(&guard, ROOM);
}

static int unmake_guard(void **state)
{
	(void)state;
	guard_fini(&guard);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(what_is_no_address_is_not_read),
		cmocka_unit_test(lists_are_believed_from_the_right),
		cmocka_unit_test(forwarded_is_read_by_its_for_parameters),
		cmocka_unit_test(another_header_is_no_forwarded),
		cmocka_unit_test(the_name_is_whole_and_in_any_case),
		cmocka_unit_test(lines_of_the_name_are_one_list),
		cmocka_unit_test(a_header_is_noticed_even_where_it_is_not_believed),
		cmocka_unit_test(one_client_is_one_address_however_it_is_written),
		cmocka_unit_test(the_body_says_nothing),
		cmocka_unit_test(not_anyone_is_believed),
		cmocka_unit_test(empty_lines_in_front_are_skipped),
		cmocka_unit_test(request_lines_are_taken_as_servers_take_them),
		cmocka_unit_test(before_and_after_http_1_there_is_no_header),
		cmocka_unit_test(what_is_not_http_is_not_waited_for),
		cmocka_unit_test(nul_is_a_byte_like_others),
		cmocka_unit_test(who_keeps_the_connection_is_known),
		cmocka_unit_test(nothing_is_not_yet_a_head),
		cmocka_unit_test(random_lists_give_what_was_put_in),
	};

	return cmocka_run_group_tests(tests, make_guard, unmake_guard);
}
