// SPDX-License-Identifier: MIT
/* Messages to Node.js workers beside those of the cluster module. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "node/cluster_messages.h"
#include "node/preload_messages.h"

static void assert_text(json_t *message, const char *expected)
{
	char *text;

	assert_non_null(message);
	text = json_dumps(message, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, expected);
	free(text);
	json_decref(message);
}

static json_t *connection(void)
{
	return cluster_connection("K", 7);
}

#define CONNECTION "\"act\":\"newconn\",\"cmd\":\"NODE_CLUSTER\",\"key\":\"K\",\"seq\":7"

static void nothing_to_say(void **state)
{
	const struct sockaddr unknown = {.sa_family = AF_UNSPEC};

	(void)state;
	assert_text(preload_describe(connection(), false, NULL), "{" CONNECTION "}");
	assert_text(preload_describe(connection(), false, &unknown), "{" CONNECTION "}");
	assert_null(preload_describe(NULL, true, NULL));
}

static void what_a_connection_is(void **state)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(4567)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(65535)};

	(void)state;
	inet_pton(AF_INET, "203.0.113.7", &v4.sin_addr);
	inet_pton(AF_INET6, "2001:db8::7", &v6.sin6_addr);
	assert_text(preload_describe(connection(), true, NULL),
		    "{" CONNECTION ",\"sticky\":{\"close\":true}}");
	assert_text(preload_describe(connection(), true, (const void *)&v4),
		    "{" CONNECTION ",\"sticky\":{\"client\":{\"address\":\"203.0.113.7\","
		    "\"family\":\"IPv4\",\"port\":4567},\"close\":true}}");
	assert_text(preload_describe(connection(), false, (const void *)&v6),
		    "{" CONNECTION ",\"sticky\":{\"client\":{\"address\":\"2001:db8::7\","
		    "\"family\":\"IPv6\",\"port\":65535},\"close\":false}}");
}

static void that_it_is_to_leave(void **state)
{
	(void)state;
	assert_text(preload_leave(5000),
		    "{\"act\":\"leave\",\"cmd\":\"NODE_STICKY\",\"idleMs\":5000}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_to_say),
		cmocka_unit_test(what_a_connection_is),
		cmocka_unit_test(that_it_is_to_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
