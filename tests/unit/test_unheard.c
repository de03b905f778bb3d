// SPDX-License-Identifier: MIT
/*
 * Messages that the controller does not handle: each kind is reported once, and the number of kinds
 * is bounded.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "node/unheard.h"

static char kind[UNHEARD_KIND_SIZE];
static const char *cure;

static bool note(struct unheard *unheard, const char *text)
{
	const struct node_message message = {NODE_FORMAT_JSON, text, strlen(text)};

	return unheard_note(unheard, &message, kind, &cure);
}

static void check(struct unheard *unheard, const char *text, const char *wanted, const char *word)
{
	assert_true(note(unheard, text));
	assert_string_equal(kind, wanted);
	assert_non_null(strstr(cure, word));
	assert_false(note(unheard, text));
}

static void each_kind_is_told_once(void **state)
{
	struct unheard unheard = {0};

	(void)state;
	check(&unheard, "{\"topic\":\"log4js:message\",\"data\":1}", "topic log4js:message",
	      "disableClustering");
	check(&unheard, "{\"channel\":\"rate_limiter_flexible\",\"id\":7}",
	      "channel rate_limiter_flexible", "RateLimiterMemory");
	/* The type usually names the kind. Here the channel does, as there is a remedy for it. */
	assert_false(note(&unheard, "{\"channel\":\"rate_limiter_flexible\",\"type\":\"init\"}"));
	assert_string_equal(kind, "channel rate_limiter_flexible");
	check(&unheard, "{\"channel\":\"ours\",\"type\":\"init\"}", "type init", "Redis");
	check(&unheard, "{\"type\":\"prom-client:getMetricsReq\"}",
	      "type prom-client:getMetricsReq", "metrics");
	check(&unheard, "{\"type\":\"axm:monitor\"}", "type axm:monitor", "@pm2/io");
	check(&unheard, "{\"data\":5}", "an object without a type", "Redis");
	check(&unheard, "[1]", "an array", "Redis");
	check(&unheard, "5", "a plain value", "Redis");
	check(&unheard, "\"say \\\"hi\\\"\"", "text say \\'hi\\'", "Redis");
	check(&unheard, "{", "no JSON", "Redis");
	assert_false(note(&unheard, "{\"data\":6}"));
	assert_false(note(&unheard, "{\"topic\":\"log4js:message\",\"data\":\"other\"}"));
}

static void long_kinds_are_cut(void **state)
{
	struct unheard unheard = {0};
	char text[300];

	(void)state;
	snprintf(text, sizeof(text), "{\"type\":\"%0200d\"}", 0);
	assert_true(note(&unheard, text));
	assert_int_equal(strlen(kind), UNHEARD_KIND_SIZE - 1);
	snprintf(text, sizeof(text), "\"%0200d\"", 0);
	assert_true(note(&unheard, text));
	assert_int_equal(strlen(kind), UNHEARD_KIND_SIZE - 1);
}

static void the_number_of_kinds_is_bounded(void **state)
{
	struct unheard unheard = {0};
	char text[64];
	int i, told = 0;

	(void)state;
	for (i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "{\"type\":\"request %d\"}", i);
		told += note(&unheard, text);
		if (told == UNHEARD_KINDS_MAX + 1 && i == UNHEARD_KINDS_MAX)
			assert_string_equal(kind, "more kinds");
	}
	assert_int_equal(told, UNHEARD_KINDS_MAX + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_told_once),
		cmocka_unit_test(long_kinds_are_cut),
		cmocka_unit_test(the_number_of_kinds_is_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
