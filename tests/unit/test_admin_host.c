// SPDX-License-Identifier: MIT
/*
 * Which values the Host header of a request may have, so that no page of a foreign site can read
 * the answers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "admin/admin_host.h"

#define MACHINE "web1.example.org"
#define ADDRESS "status.example.org:9180"

static const struct {
	const char *host;
	bool is_allowed;
} samples[] = {
	{NULL, true},
	{"127.0.0.1:9180", true},
	{"203.0.113.9", true},
	{"[::1]:9180", true},
	{"[2001:db8::1]", true},
	{"localhost:9180", true},
	{"LOCALHOST", true},
	{"app.localhost:9180", true},
	{"stickyctl:9180", true}, /* a container's or a service's name */
	{"", true},
	{MACHINE ":9180", true},
	{"WEB1.example.ORG", true},
	{"status.example.org", true},
	{"attacker.example", false},
	{"attacker.example:9180", false},
	{"127.0.0.1.attacker.example:9180", false},
	{"127.0.0.1.:9180", false},
	{"localhost.attacker.example", false},
	{"xlocalhost.", false},
	{"example.org", false},
	{"a." MACHINE, false},
	{MACHINE ".attacker.example", false},
};

static void hosts(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		if (admin_host_is_allowed(samples[i].host, ADDRESS, MACHINE) !=
		    samples[i].is_allowed)
			fail_msg("%s", samples[i].host);
}

static void unknown_names_match_nothing(void **state)
{
	(void)state;
	assert_false(admin_host_is_allowed("a.b", ":9180", ""));
	assert_false(admin_host_is_allowed("a.b", "[::]:9180", ""));
}

static void a_long_name_is_refused(void **state)
{
	char host[1024];

	(void)state;
	memset(host, 'a', sizeof(host));
	host[sizeof(host) - 1] = '\0';
	assert_false(admin_host_is_allowed(host, ADDRESS, MACHINE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts),
		cmocka_unit_test(unknown_names_match_nothing),
		cmocka_unit_test(a_long_name_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
