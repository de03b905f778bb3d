// SPDX-License-Identifier: MIT
/* A worker's environment: variables are set, removed, replaced, and read from files. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/environment.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char *const nothing[] = {NULL};

static void begin(struct environment *environment)
{
	assert_int_equal(environment_init(environment, nothing), 0);
}

static void check(const struct environment *environment, const char *name, const char *value)
{
	const char *found = environment_get(environment, name);

	if (!value)
		assert_null(found);
	else if (!found)
		fail_msg("%s is not set", name);
	else
		assert_string_equal(found, value);
}

static void a_copy_is_made(void **state)
{
	char path[] = "PATH=/bin";
	char *const from[] = {path, "EMPTY=", "A=b=c", NULL};
	struct environment environment;

	(void)state;
	assert_int_equal(environment_init(&environment, from), 0);
	path[5] = 'x';
	assert_int_equal(environment.count, 3);
	assert_null(environment.items[3]);
	check(&environment, "PATH", "/bin");
	check(&environment, "EMPTY", "");
	check(&environment, "A", "b=c");
	check(&environment, "PAT", NULL);
	check(&environment, "PATHS", NULL);
	check(&environment, "", NULL);
	environment_fini(&environment);
	environment_fini(&environment);
}

static void variables_are_set_and_replaced(void **state)
{
	struct environment environment;

	(void)state;
	begin(&environment);
	assert_int_equal(environment_set(&environment, "A", "1"), 0);
	assert_int_equal(environment_set(&environment, "AB", "2"), 0);
	assert_int_equal(environment_set(&environment, "A", "3"), 0);
	assert_int_equal(environment.count, 2);
	check(&environment, "A", "3");
	check(&environment, "AB", "2");
	/* The new value may lie in the variable that is replaced. */
	environment_set(&environment, "A", environment_get(&environment, "A"));
	check(&environment, "A", "3");
	environment_fini(&environment);
}

static void variables_are_taken_away(void **state)
{
	char *const from[] = {"A=1", "B=2", "C=3", NULL};
	struct environment environment;

	(void)state;
	assert_int_equal(environment_init(&environment, from), 0);
	environment_unset(&environment, "A");
	environment_unset(&environment, "no such");
	check(&environment, "A", NULL);
	check(&environment, "B", "2");
	check(&environment, "C", "3");
	assert_int_equal(environment.count, 2);
	assert_null(environment.items[2]);
	environment_unset(&environment, "C");
	environment_unset(&environment, "B");
	assert_int_equal(environment.count, 0);
	assert_null(environment.items[0]);
	environment_fini(&environment);
}

/* An environment may contain a variable twice, and a program may use either value. */
static void a_variable_that_is_there_twice_is_one(void **state)
{
	char *const from[] = {"A=1", "B=2", "A=3", "A=4", NULL};
	struct environment environment;

	(void)state;
	assert_int_equal(environment_init(&environment, from), 0);
	environment_set(&environment, "A", "new");
	check(&environment, "A", "new");
	environment_unset(&environment, "A");
	check(&environment, "A", NULL);
	check(&environment, "B", "2");
	environment_fini(&environment);
}

static void there_is_room_for_many(void **state)
{
	struct environment environment;
	char name[32];
	int i;

	(void)state;
	begin(&environment);
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "V%d", i);
		assert_int_equal(environment_set(&environment, name, name + 1), 0);
		assert_null(environment.items[environment.count]);
	}
	assert_int_equal(environment.count, 1000);
	check(&environment, "V0", "0");
	check(&environment, "V999", "999");
	environment_fini(&environment);
}

static void slot_and_name_are_replaced_in_values(void **state)
{
	static const struct {
		const char *assignment, *variable, *value;
	} samples[] = {
		{"A=1", "A", "1"},
		{"A=", "A", ""},
		{"A=x{slot}y{name}z", "A", "x7ywebz"},
		{"A={slot}{slot}", "A", "77"},
		{"A={name}", "A", "web"},
		{"A={slots}", "A", "{slots}"},
		{"A={slot", "A", "{slot"},
		{"A={{slot}}", "A", "{7}"},
		{"A={SLOT}", "A", "{SLOT}"},
		{"A={slot}=b", "A", "7=b"},
		{"{slot}={slot}", "{slot}", "7"},
	};
	struct environment environment;
	size_t i;

	(void)state;
	begin(&environment);
	for (i = 0; i < COUNT(samples); i++) {
		assert_int_equal(environment_assign(&environment, samples[i].assignment, 7, "web"),
				 0);
		check(&environment, samples[i].variable, samples[i].value);
	}
	environment_fini(&environment);
}

/* ---- Files ------------------------------------------------------------------------ */

static struct error_text why;

static int read_text(struct environment *environment, const char *text)
{
	char path[] = "/tmp/test_environment-XXXXXX";
	int fd = mkstemp(path), error;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	error = environment_read_file(environment, path, NULL, 3, "web", &why);
	unlink(path);
	return error;
}

static void a_file_is_read(void **state)
{
	struct environment environment;

	(void)state;
	begin(&environment);
	assert_int_equal(read_text(&environment, "# a comment\n"
						 "\n"
						 "   \t\n"
						 "A=1\n"
						 "  B=two words\n"
						 "\t# C=3\n"
						 "D=a#b\n"
						 "E=\n"
						 "F=a=b\n"
						 "G={name}-{slot}\n"
						 "H=dos\r\n"
						 "A=2\n"
						 "LAST=without an end"),
			 0);
	assert_int_equal(environment.count, 8);
	check(&environment, "A", "2");
	check(&environment, "B", "two words");
	check(&environment, "C", NULL);
	check(&environment, "D", "a#b");
	check(&environment, "E", "");
	check(&environment, "F", "a=b");
	check(&environment, "G", "web-3");
	check(&environment, "H", "dos");
	check(&environment, "LAST", "without an end");
	environment_fini(&environment);
}

static void quotes_are_taken_off(void **state)
{
	struct environment environment;

	(void)state;
	begin(&environment);
	assert_int_equal(read_text(&environment, "A=\"x y\"\n"
						 "B='x y'\r\n"
						 "C=\"\"\n"
						 "D='\"'\n"
						 "E=\"x'\"\n"
						 "F='\"x\"'\n"
						 "G=x\"y\"\n"
						 "H=\"{slot}\"\n"),
			 0);
	check(&environment, "A", "x y");
	check(&environment, "B", "x y");
	check(&environment, "C", "");
	check(&environment, "D", "\"");
	check(&environment, "E", "x'");
	check(&environment, "F", "\"x\"");
	check(&environment, "G", "x\"y\"");
	check(&environment, "H", "3");
	environment_fini(&environment);
}

static void other_lines_are_refused(void **state)
{
	struct environment environment;

	(void)state;
	begin(&environment);
	assert_int_equal(read_text(&environment, "A=1\n\nB\nC=2\n"), -EBADMSG);
	assert_non_null(strstr(why.text, ":3: '=' is wanted behind the name"));
	check(&environment, "A", "1");
	check(&environment, "C", NULL);
	environment_fini(&environment);
}

static void a_long_line_is_read(void **state)
{
	static char text[100002];
	struct environment environment;

	(void)state;
	memset(text, 'x', sizeof(text) - 2);
	memcpy(text, "A=", 2);
	text[sizeof(text) - 2] = '\n';
	begin(&environment);
	assert_int_equal(read_text(&environment, text), 0);
	assert_int_equal(strlen(environment_get(&environment, "A")), sizeof(text) - 4);
	assert_int_equal(read_text(&environment, ""), 0);
	environment_fini(&environment);
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
	struct environment environment;

	(void)state;
	begin(&environment);
	assert_int_equal(
		environment_read_file(&environment, "/tmp/no/such/file", NULL, 0, "", &why),
		-ENOENT);
	assert_int_equal(environment_read_file(&environment, "/tmp", NULL, 0, "", &why), -ENOTSUP);
	/* This file has no end. */
	assert_int_equal(environment_read_file(&environment, "/dev/zero", NULL, 0, "", &why),
			 -ENOTSUP);
	assert_int_equal(environment.count, 0);
	environment_fini(&environment);
}

/* No process writes to the FIFO. open() without O_NONBLOCK would wait for one. */
static void a_fifo_is_not_waited_for(void **state)
{
	char directory[] = "/tmp/sticky-env-XXXXXX", path[64];
	struct environment environment;

	(void)state;
	begin(&environment);
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/fifo", directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(environment_read_file(&environment, path, NULL, 0, "", &why), -ENOTSUP);
	unlink(path);
	rmdir(directory);
	environment_fini(&environment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_is_made),
		cmocka_unit_test(variables_are_set_and_replaced),
		cmocka_unit_test(variables_are_taken_away),
		cmocka_unit_test(a_variable_that_is_there_twice_is_one),
		cmocka_unit_test(there_is_room_for_many),
		cmocka_unit_test(slot_and_name_are_replaced_in_values),
		cmocka_unit_test(a_file_is_read),
		cmocka_unit_test(quotes_are_taken_off),
		cmocka_unit_test(other_lines_are_refused),
		cmocka_unit_test(a_long_line_is_read),
		cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
		cmocka_unit_test(a_fifo_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
