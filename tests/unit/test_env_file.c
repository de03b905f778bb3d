// SPDX-License-Identifier: MIT
/* The text of an --env-file. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/env_file.h"

static char found[1024];

static int add(void *context, const char *name, const char *value)
{
	size_t length = strlen(found);

	(void)context;
	snprintf(found + length, sizeof(found) - length, "%s=%s|", name, value);
	return 0;
}

static int parse(const char *text, struct env_file_problem *ret_problem)
{
	char *copy = strdup(text);
	int error;

	assert_non_null(copy);
	found[0] = '\0';
	error = env_file_parse(copy, strlen(copy), add, NULL, ret_problem);
	free(copy);
	return error;
}

static const struct {
	const char *text, *found;
} good[] = {
	{"", ""},
	{"\n\n  \n", ""},
	{"# a\n  # b", ""},
	{"A=1", "A=1|"},
	{"A=1\nB=2\n", "A=1|B=2|"},
	{"A=1\r\nB=2\r\n", "A=1|B=2|"},
	{"export A=1\n", "A=1|"},
	{"export\tA=1\n", "A=1|"},
	{"exported=1\n", "exported=1|"},
	{"export=1\n", "export=1|"},
	{"  A = two words  \n", "A=two words|"},
	{"A=\nB=2\n", "A=|B=2|"},
	{"A=a#b\n", "A=a#b|"},
	{"A=a # b\n", "A=a|"},
	{"A=# b\n", "A=|"},
	{"A=a=b\n", "A=a=b|"},
	{"A='x # y'\n", "A=x # y|"},
	{"A='x' # y\n", "A=x|"},
	{"A=\"x\"\n", "A=x|"},
	{"A=''\nB=\"\"\n", "A=|B=|"},
	{"A='one\ntwo'\nB=3\n", "A=one\ntwo|B=3|"},
	{"A=\"one\ntwo\"\n", "A=one\ntwo|"},
	{"A=\"a\\nb\\tc\\\\d\\\"e\\$f\\x\"", "A=a\nb\tc\\d\"e$f\\x|"},
	{"A='a\\nb'", "A=a\\nb|"},
	{"A=`a'\"b`", "A=a'\"b|"},
	{"A=x\"y\"\n", "A=x\"y\"|"},
	{"a.b-c=1\n", "a.b-c=1|"},
	{"A=$HOME\n", "A=$HOME|"},
};

static void texts_are_taken(void **state)
{
	struct env_file_problem problem;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (parse(good[i].text, &problem) || strcmp(found, good[i].found))
			fail_msg("%s: %s", good[i].text, found);
		assert_null(problem.what);
	}
}

static const struct {
	const char *text;
	unsigned int line;
	const char *what;
} bad[] = {
	{"A", 1, "'='"},
	{"A=1\nB\n", 2, "'='"},
	{"=1", 1, "NAME=VALUE"},
	{"export\n", 1, "'='"},
	{"export A\n", 1, "'='"},
	{"1A=2", 1, "NAME=VALUE"},
	{"A B=1", 1, "'='"},
	{"A=1\n\nB=\"x\ny\n", 3, "not closed"},
	{"A='x", 1, "not closed"},
	{"A=\"x\\\"", 1, "not closed"},
	{"A='x'y", 1, "follows"},
	{"A='x\n'y", 2, "follows"},
	{"A='1\n2\n3'\nB\n", 4, "'='"},
};

static void what_is_wrong_is_said_with_its_line(void **state)
{
	struct env_file_problem problem;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(bad[i].text, &problem) != -EINVAL || problem.line != bad[i].line ||
		    !strstr(problem.what, bad[i].what))
			fail_msg("%s: %u: %s", bad[i].text, problem.line, problem.what);
	}
}

static void a_nul_byte_is_refused(void **state)
{
	struct env_file_problem problem;
	char text[] = "A=1\0B=2";

	(void)state;
	assert_int_equal(env_file_parse(text, sizeof(text) - 1, add, NULL, &problem), -EINVAL);
	assert_non_null(strstr(problem.what, "NUL"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_taken),
		cmocka_unit_test(what_is_wrong_is_said_with_its_line),
		cmocka_unit_test(a_nul_byte_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
