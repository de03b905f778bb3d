// SPDX-License-Identifier: MIT
/* How far words are from each other. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "config/listen_address.h"
#include "config/options.h"
#include "config/suggestion.h"

static const struct {
	const char *text, *word;
	size_t distance;
} words[] = {
	{"", "", 0},
	{"workers", "workers", 0},
	{"WORKERS", "workers", 0},
	{"min_uptime", "min-uptime", 0},
	{"wrokers", "workers", 1},
	{"worker", "workers", 1},
	{"workerss", "workers", 1},
	{"vorkers", "workers", 1},
	{"", "abc", 3},
	{"abc", "", 3},
	{"ca", "abc", 3},
	{"listne", "listen", 1},
};

static void distances(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_int_equal(
			suggestion_distance(words[i].text, strlen(words[i].text), words[i].word),
			words[i].distance);
}

static void a_word_that_is_too_long_is_near_to_none(void **state)
{
	char text[4096];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_true(suggestion_distance(text, sizeof(text), "workers") > 32);
	assert_null(option_nearest(text, sizeof(text)));
}

static void the_nearest_option_is_found(void **state)
{
	(void)state;
	assert_string_equal(option_nearest("wrokers", 7)->doc.name, "workers");
	assert_string_equal(option_nearest("MIN_UPTIM", 9)->doc.name, "min-uptime");
	/* Only the given number of letters counts. */
	assert_string_equal(option_nearest("listenxxx", 6)->doc.name, "listen");
	assert_null(option_nearest("nonsense", 8));
}

static const char *const good_addresses[] = {
	":0", ":65535", "127.0.0.1:80", "localhost:3000", "[::1]:80", "[fe80::1%eth0]:80"};
static const char *const bad_addresses[] = {"",	      "8000",	 ":",	   ":x",
					    ":65536", ":-1",	 "::1:80", "[]:80",
					    "[::1]",  "[::1]80", "host",   "a:b:1"};

static void addresses_have_a_form(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good_addresses) / sizeof(good_addresses[0]); i++)
		assert_null(listen_address_problem(good_addresses[i]));
	for (i = 0; i < sizeof(bad_addresses) / sizeof(bad_addresses[0]); i++)
		assert_non_null(listen_address_problem(bad_addresses[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances),
		cmocka_unit_test(a_word_that_is_too_long_is_near_to_none),
		cmocka_unit_test(the_nearest_option_is_found),
		cmocka_unit_test(addresses_have_a_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
