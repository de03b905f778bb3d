// SPDX-License-Identifier: MIT
/* Which of a worker's last lines tells why it ended, in the formats of several languages. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "api/last_words.h"

static struct line_ring *ring;

static int open_ring(void **state)
{
	(void)state;
	return line_ring_open(2, &ring);
}

static int close_ring(void **state)
{
	(void)state;
	line_ring_close(ring);
	return 0;
}

static void print(uint64_t generation, const char *text)
{
	const struct line_origin origin = {.generation = generation, .stream = "stderr"};
	const char *end;

	for (; *text; text = end) {
		end = strchr(text, '\n') + 1;
		line_ring_add(ring, &origin, 1, text, (size_t)(end - text));
	}
}

static void check(uint64_t generation, const char *wanted)
{
	const struct ring_line *line = last_words_find(ring, 0, generation);

	assert_non_null(line);
	assert_int_equal(line->length, strlen(wanted));
	assert_memory_equal(line->bytes, wanted, line->length);
}

static void the_error_is_found_beside_its_stack(void **state)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{"Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n"
		 "OSError: [Errno 98] Address already in use\n",
		 "OSError: [Errno 98] Address already in use"},
		{"/srv/app.js:1\nthrow new Error('no database');\n^\n\nError: no database\n"
		 "    at Object.<anonymous> (/srv/app.js:1:7)\n\nNode.js v20.11.0\n",
		 "Error: no database"},
		{"Error: listen EADDRINUSE: address already in use :::3000\n"
		 "    at Server.setupListenHandle {\n  code: 'EADDRINUSE',\n}\n\nNode.js "
		 "v18.19.0\n",
		 "Error: listen EADDRINUSE: address already in use :::3000"},
		{"Exception in thread \"main\" java.lang.RuntimeException: it failed\n"
		 "\tat Main.main(Main.java:3)\nCaused by: java.io.IOException: no file\n"
		 "\t... 1 more\n",
		 "Caused by: java.io.IOException: no file"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print(i + 1, cases[i].text);
		check(i + 1, cases[i].wanted);
	}
}

static void the_next_worker_does_not_speak_for_it(void **state)
{
	(void)state;
	print(1, "it failed\n");
	print(2, "starting\n");
	check(1, "it failed");
	check(2, "starting");
	assert_null(last_words_find(ring, 0, 3));
	assert_null(last_words_find(ring, 1, 1));
	assert_null(last_words_find(NULL, 0, 1));
	print(3, "\n}\n  \n");
	assert_null(last_words_find(ring, 0, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_error_is_found_beside_its_stack, open_ring,
						close_ring),
		cmocka_unit_test_setup_teardown(the_next_worker_does_not_speak_for_it, open_ring,
						close_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
