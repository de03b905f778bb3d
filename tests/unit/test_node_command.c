// SPDX-License-Identifier: MIT
/* Which commands are Node.js. This is decided by their words and by the beginning of their file. */
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

#include "node/inspect_port.h"
#include "command/node_command.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS(...)   ((char *const[]){__VA_ARGS__, NULL})
#define TEXT_SIZE    256
#define DIRECTORY    "/tmp/sticky-node-command-XXXXXX"

/* the script that npm writes into node_modules/.bin if it makes no symbolic link */
static const char npm_wrapper[] = "#!/bin/sh\nbasedir=$(dirname \"$0\")\nexec node  "
				  "\"$basedir/../next/dist/bin/next\" \"$@\"\n";

static bool is_script(const char *text)
{
	return node_command_is_script(text, strlen(text));
}

static void first_lines(void **state)
{
	static const char *const good[] = {
		"#!/usr/bin/env node\n",
		"#!/usr/bin/node\nx",
		"#! /usr/local/bin/node --flag\n",
		"#!/usr/bin/env -S node --enable-source-maps\n",
		"#!/usr/bin/env nodejs",
		"#!/usr/bin/env -S NODE_ENV=production node\r\n",
		"#!/usr/bin/env -Snode --x\n",
		"#!/usr/bin/env --split-string=node\n",
		"#!/usr/bin/env\tnode\n",
		"#!/bin/node",
		npm_wrapper,
	};
	static const char *const bad[] = {
		"",
		"#",
		"#!",
		"#!\n",
		"#!/bin/sh\nnode app.js\n",
		"#!/bin/sh\nexec node app.js\n",
		"#!/usr/bin/env python3\n",
		"#!/usr/bin/env\n",
		"#!/usr/bin/env -S\n",
		"#!/usr/bin/nodemon\n",
		"#!/usr/bin/env nodemon\n",
		"node\n",
		" #!/usr/bin/node\n",
		"#!/usr/bin/myenv node\n",
		"#!/usr/bin/nod",
		"\177ELF",
		"#!/usr/bin/python3 node\n",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		if (!is_script(good[i]))
			fail_msg("not known: %s", good[i]);
	for (i = 0; i < COUNT(bad); i++)
		if (is_script(bad[i]))
			fail_msg("taken for Node.js: %s", bad[i]);
}

/* The file may end at any byte of its first line. AddressSanitizer sees a read beyond the end. */
static void cut_lines(void **state)
{
	static const char line[] = "#!/usr/bin/env -S NODE_ENV=x node --option";
	size_t length;

	(void)state;
	for (length = 0; length < sizeof(line); length++) {
		char *copy = malloc(length ? length : 1);

		memcpy(copy, line, length);
		node_command_is_script(copy, length);
		free(copy);
	}
}

static void check_program(char *const *command, size_t wanted)
{
	assert_int_equal(node_command_program(command) - command, wanted);
}

static void env_is_skipped(void **state)
{
	(void)state;
	check_program(WORDS("node", "app.js"), 0);
	check_program(WORDS("env", "node", "app.js"), 1);
	check_program(WORDS("/usr/bin/env", "A=1", "B=", "node"), 3);
	check_program(WORDS("env", "-u", "A", "--", "node"), 4);
	check_program(WORDS("env", "-i", "node"), 0);
	check_program(WORDS("env", "--chdir=/x", "node"), 0);
	check_program(WORDS("env"), 0);
	check_program(WORDS("env", "-u"), 0);
	check_program(WORDS("env", "A=1"), 0);
	check_program(WORDS("myenv", "node"), 0);
}

struct place {
	char directory[sizeof(DIRECTORY)];
};

static void write_file(const struct place *place, const char *name, const char *text)
{
	char path[TEXT_SIZE];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", place->directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, 0755), 0);
}

static void files_are_looked_at(void **state)
{
	struct place place = {DIRECTORY};
	char link[TEXT_SIZE], *absolute = link, command[TEXT_SIZE + 64];

	(void)state;
	assert_non_null(mkdtemp(place.directory));
	write_file(&place, "www", "#!/usr/bin/env node\n");
	write_file(&place, "other", "#!/bin/sh\n");
	write_file(&place, "node", "");
	snprintf(link, sizeof(link), "%s/link", place.directory);
	assert_int_equal(symlink("www", link), 0);
	assert_true(node_command_is_node(WORDS("./www"), place.directory, NULL));
	assert_true(node_command_is_node(WORDS("./link", "start"), place.directory, NULL));
	assert_true(node_command_is_node(WORDS(absolute), "/", NULL));
	assert_true(node_command_is_node(WORDS("env", "A=1", "./www"), place.directory, NULL));
	assert_true(node_command_is_node(WORDS("www"), "/", place.directory));
	assert_false(node_command_is_node(WORDS("www"), "/", NULL));
	assert_false(node_command_is_node(WORDS("www"), "/", "/nowhere:/"));
	assert_false(node_command_is_node(WORDS("./other"), place.directory, NULL));
	assert_false(node_command_is_node(WORDS("./nowhere"), place.directory, NULL));
	assert_false(node_command_is_node(WORDS("."), place.directory, NULL));
	/* The link is another name of node itself. */
	unlink(link);
	assert_int_equal(symlink("node", link), 0);
	assert_true(node_command_is_node(WORDS("./link"), place.directory, NULL));
	/* No process writes to the FIFO. The call does not wait for one. */
	unlink(link);
	assert_int_equal(mkfifo(link, 0600), 0);
	assert_false(node_command_is_node(WORDS("./link"), place.directory, NULL));
	snprintf(command, sizeof(command), "rm -r %s", place.directory);
	assert_int_equal(system(command), 0);
}

static void check_words(char *const *command, uint32_t slot, const char *wanted)
{
	struct string_list words;
	char text[TEXT_SIZE] = "";
	size_t i;

	assert_int_equal(inspect_port_words(command, slot, &words), 0);
	for (i = 0; i < words.count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			 words.items[i]);
	assert_string_equal(text, wanted);
	string_list_fini(&words);
}

static void debuggers_have_ports_of_their_own(void **state)
{
	(void)state;
	check_words(WORDS("node", "--inspect", "app.js"), 0, "node --inspect app.js");
	check_words(WORDS("node", "--inspect", "app.js"), 2, "node --inspect=9231 app.js");
	check_words(WORDS("node", "--inspect=0.0.0.0", "app.js"), 1,
		    "node --inspect=0.0.0.0:9230 app.js");
	check_words(WORDS("node", "--inspect=0.0.0.0:7000", "app.js"), 1,
		    "node --inspect=0.0.0.0:7001 app.js");
	check_words(WORDS("node", "--inspect-brk=[::1]:7000", "a.js"), 1,
		    "node --inspect-brk=[::1]:7001 a.js");
	check_words(WORDS("node", "--inspect=[::1]", "a.js"), 1, "node --inspect=[::1]:9230 a.js");
	check_words(WORDS("node", "-r", "x", "--inspect-port=5", "a.js", "--inspect"), 1,
		    "node -r x --inspect-port=6 a.js --inspect");
	check_words(WORDS("node", "--inspect=0", "a.js"), 1, "node --inspect=0 a.js");
	check_words(WORDS("node", "--inspect=65535", "a.js"), 1, "node --inspect=65535 a.js");
	check_words(WORDS("node", "--inspector", "a.js"), 1, "node --inspector a.js");
	check_words(WORDS("env", "A=1", "node", "--inspect", "a.js"), 1,
		    "env A=1 node --inspect=9230 a.js");
	check_words(WORDS("./bin/www", "--inspect"), 1, "./bin/www --inspect");
	check_words(WORDS("node"), 1, "node");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_lines),
		cmocka_unit_test(cut_lines),
		cmocka_unit_test(env_is_skipped),
		cmocka_unit_test(files_are_looked_at),
		cmocka_unit_test(debuggers_have_ports_of_their_own),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
