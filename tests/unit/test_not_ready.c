// SPDX-License-Identifier: MIT
/* Why a Node.js worker is not ready: the message names the most useful one of the known facts. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "node/not_ready.h"

static const struct not_ready nothing_asked = {
	.is_online = true,
	.missing = "",
	.elsewhere = "",
	.refused = "",
};

static void assert_reason(const struct not_ready *facts, const char *reason, const char *hint)
{
	char text[256];
	const char *found = not_ready_text(facts, sizeof(text), text);

	assert_string_equal(text, reason);
	if (!strstr(found, hint))
		fail_msg("the hint \"%s\" does not say \"%s\"", found, hint);
}

static void an_application_that_asks_for_nothing(void **state)
{
	(void)state;
	assert_reason(&nothing_asked, "it has not called listen()", "--ready-timeout");
}

static void the_error_that_the_application_got(void **state)
{
	struct not_ready facts = nothing_asked;

	(void)state;
	facts.refused = ":3000";
	facts.refused_error = -EADDRINUSE;
	assert_reason(&facts, "its listen() on :3000 failed: Address already in use",
		      "another port");
	facts.refused = ":80";
	facts.refused_error = -EACCES;
	assert_reason(&facts, "its listen() on :80 failed: Permission denied", "-l");
	facts.refused = "192.0.2.77:3000";
	facts.refused_error = -EADDRNOTAVAIL;
	assert_reason(&facts,
		      "its listen() on 192.0.2.77:3000 failed: Cannot assign requested address",
		      "address of this host");
}

/* The error explains why the worker listens elsewhere: for example, it tried the next port. */
static void the_error_comes_before_what_else_it_listens_on(void **state)
{
	struct not_ready facts = nothing_asked;

	(void)state;
	facts.refused = ":3000";
	facts.refused_error = -EADDRINUSE;
	facts.elsewhere = "/tmp/socket";
	assert_reason(&facts, "its listen() on :3000 failed: Address already in use", "");
}

/*
 * If a worker listens, and its second listen() has failed, it only has to report that it is ready.
 */
static void an_error_does_not_matter_once_it_listens(void **state)
{
	struct not_ready facts = nothing_asked;

	(void)state;
	facts.refused = ":4000";
	facts.refused_error = -EADDRINUSE;
	facts.listens = true;
	assert_reason(&facts, "it has not said that it is ready", "process.send('ready')");
}

static void a_process_that_is_not_node(void **state)
{
	struct not_ready facts = nothing_asked;

	(void)state;
	facts.is_online = false;
	assert_reason(&facts, "no word from Node.js", "npm");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_application_that_asks_for_nothing),
		cmocka_unit_test(the_error_that_the_application_got),
		cmocka_unit_test(the_error_comes_before_what_else_it_listens_on),
		cmocka_unit_test(an_error_does_not_matter_once_it_listens),
		cmocka_unit_test(a_process_that_is_not_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
