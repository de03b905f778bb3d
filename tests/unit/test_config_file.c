// SPDX-License-Identifier: MIT
/*
 * The configuration file: its possible contents, the place of an error, and which sources override
 * it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error_text.h"
#include "config/file_report.h"
#include "config/options.h"
#include "config/sources.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char path[] = "/tmp/sticky-test-XXXXXX";
static struct error_text complaint;

static void write_file(const char *content, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

/* Read the file. The first mistake goes to `complaint`. */
static int read_named(struct config *config, const char *name)
{
	struct file_report report = {0};
	int error = config_set_from_file(config, name, &report);

	if (report.problems.texts.count)
		strcpy(complaint.text, report.problems.texts.items[0]);
	assert_true(!error == !problems_count(&report.problems));
	problems_fini(&report.problems);
	return error;
}

static int read_text(struct config *config, const char *content)
{
	write_file(content, strlen(content));
	config_init(config);
	complaint.text[0] = '\0';
	return read_named(config, path);
}

static void every_form_is_taken(void **state)
{
	static const char content[] = "# a site\n"
				      "listen: ['127.0.0.1:3000', \":3001\"]\n"
				      "workers: 4\n"
				      "ready_timeout: 5s\n"
				      "when_down: spill\n"
				      "max_rss: 512M\n"
				      "restart_limit: 5/1m\n"
				      "env:\n"
				      "  NODE_ENV: production\n"
				      "  DEBUG: no\n"
				      "env_file: a.env\n"
				      "command: [node, server.js, \"--title=a b\"]\n";
	struct config config;

	(void)state;
	assert_int_equal(read_text(&config, content), 0);
	assert_int_equal(config.listen.count, 2);
	assert_string_equal(config.listen.items[1], ":3001");
	assert_int_equal(config.workers, 4);
	assert_int_equal(config.timing.ready_timeout_ms, 5000);
	assert_int_equal(config.waiting.when_down, WHEN_DOWN_SPILL);
	assert_int_equal(config.reload.max_rss_bytes, 512 << 20);
	assert_int_equal(config.restart_limit.count, 5);
	assert_int_equal(config.identity.env.count, 2);
	assert_string_equal(config.identity.env.items[1], "DEBUG=no");
	assert_string_equal(config.identity.env_files.items[0], "a.env");
	assert_int_equal(config.file_command.count, 3);
	assert_string_equal(config.file_command.items[2], "--title=a b");
	config_fini(&config);
}

static void other_spellings_are_taken_too(void **state)
{
	struct config config;

	(void)state;
	assert_int_equal(read_text(&config, "listen: :3000\nenv: [A=1, B=x y]\ncommand: ./run\n"),
			 0);
	assert_string_equal(config.listen.items[0], ":3000");
	assert_string_equal(config.identity.env.items[1], "B=x y");
	assert_string_equal(config.file_command.items[0], "./run");
	config_fini(&config);
	assert_int_equal(read_text(&config, ""), 0);
	assert_int_equal(read_text(&config, "# nothing yet\n"), 0);
	assert_int_equal(config.workers, 0);
	config_fini(&config);
}

/* The message for each error names its place. */
static const struct {
	const char *content, *place, *what;
} bad[] = {
	{"workers: x\n", ":1:10: ", "'x' is not a whole number"},
	{"\n\nworkers: 0\n", ":3:10: ", "'0' is not"},
	{"workrs: 4\n", ":1:1: ", "'workrs' is no option"},
	{"min-uptime: 1s\n", ":1:1: ", "did you mean \'min_uptime\'"},
	{"WORKERS: 4\n", ":1:1: ", "no option"},
	{"config: other.yaml\n", ":1:1: ", "another"},
	{"workers: 1\nworkers: 2\n", ":2:1: ", "first in line 1"},
	{"workers:\n", ":1:9: ", "missing"},
	{"workers: [1]\n", ":1:10: ", "one value"},
	{"workers: {a: 1}\n", ":1:10: ", "one value"},
	{"listen: {a: 1}\n", ":1:9: ", "one value"},
	{"listen: [[a]]\n", ":1:10: ", "one value"},
	{"listen: [::1]:80\n", ":1:10: ", "needs quotes"},
	{"workers: 1\nlisten: 8000\n", ":2:9: listen: '8000'", "write :PORT"},
	{"wrokers: 1\n", ":1:1: 'wrokers'", "did you mean 'workers'?"},
	{"min_uptim: 1\n", ":1:1: 'min_uptim'", "did you mean 'min_uptime'?"},
	{"env: [A=1, 2]\n", ":1:12: ", "NAME=VALUE"},
	{"env: {A: [1]}\n", ":1:7: ", "both texts"},
	{"env: {[A]: 1}\n", ":1:7: ", "both texts"},
	{"env: {1A: 1}\n", ":1:7: ", "NAME=VALUE"},
	{"command: node server.js\n", ":1:10: ", "list of its words"},
	{"command: []\n", ":1:10: ", "list of its words"},
	{"command: [a, [b]]\n", ":1:14: ", "not a text"},
	{"command: {a: b}\n", ":1:10: ", "list of its words"},
	{"[a]: 1\n", ":1:1: ", "name of an option"},
	{"a\n", ":1:1: ", "'name: value'"},
	{"- a\n", ":1:1: ", "'name: value'"},
	{"workers: 1\n---\nworkers: 2\n", ":3:1: ", "second document"},
	{"name: \"a\n", ":2:1: ", "quoted"},
	{"workers: *w\n", ":1:10: ", "alias"},
	{"workers: 1\n\tready: auto\n", ":2:1: ", "tab"},
	{"name: \x01\n", ": byte 6: ", "control"},
	{"name: \xff\xfe\n", ": byte 6: ", "UTF-8"},
	{"name: \"a\\0b\"\n", ":1:7: ", "one value"},
};

static void what_is_wrong_is_said_with_its_place(void **state)
{
	char expected[128];
	struct config config;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		int error = read_text(&config, bad[i].content);

		snprintf(expected, sizeof(expected), "%s%s", path, bad[i].place);
		if (error != -EBADMSG || strncmp(complaint.text, expected, strlen(expected)) ||
		    !strstr(complaint.text, bad[i].what))
			fail_msg("%s: %d: %s", bad[i].content, error, complaint.text);
		config_fini(&config);
	}
}

static void all_mistakes_are_told_at_once(void **state)
{
	static const char content[] = "workers: x\n"
				      "wrokers: 2\n"
				      "listen: [8000, ':1', 9000]\n"
				      "env: {A: 1, A: 2, 1B: 3}\n"
				      "retry_delay: 5d\n"
				      "workers: 3\n"
				      "backlog: 16\n"
				      "command: run it\n";
	static const char *const places[] = {":1:10: ", ":2:1: ",  ":3:10: ", ":3:22: ", ":4:13: ",
					     ":4:19: ", ":5:14: ", ":6:1: ",  ":8:10: "};
	struct file_report report = {0};
	struct config config;
	size_t i;

	(void)state;
	write_file(content, strlen(content));
	config_init(&config);
	assert_int_equal(config_set_from_file(&config, path, &report), -EBADMSG);
	assert_int_equal(report.problems.texts.count, COUNT(places));
	for (i = 0; i < COUNT(places); i++)
		assert_memory_equal(report.problems.texts.items[i] + strlen(path), places[i],
				    strlen(places[i]));
	/* What is right between the mistakes is taken, and its place is known. */
	assert_int_equal(config.backlog, 16);
	assert_int_equal(
		report.places[option_index(option_by_spelling("backlog", 7, tolower))].line, 7);
	assert_int_equal(report.command.line, 8);
	config_fini(&config);
	problems_fini(&report.problems);
}

static void a_reload_tells_the_first_and_counts_the_others(void **state)
{
	char *environment[] = {NULL};
	struct config_sources sources = {.environment = environment};
	static const char content[] = "workers: x\nbacklog: y\nready: z\n";
	struct config config;

	(void)state;
	write_file(content, strlen(content));
	assert_int_equal(sources_add(&sources, 'c', path), 0);
	assert_int_equal(sources_load(&sources, &config, &complaint), -EBADMSG);
	assert_non_null(strstr(complaint.text, ":1:10: workers: 'x'"));
	assert_non_null(strstr(complaint.text, "; 2 more: 'stickyctl check -c /tmp/"));
	assert_null(strchr(complaint.text, '\n'));
	config_fini(&config);
	sources_fini(&sources);
}

static void the_list_of_mistakes_is_bounded(void **state)
{
	struct problems problems = {0};
	int i;

	(void)state;
	for (i = 0; i < PROBLEMS_MAX + 5; i++)
		problems_add(&problems, "%d", i);
	assert_int_equal(problems.texts.count, PROBLEMS_MAX);
	assert_int_equal(problems_count(&problems), PROBLEMS_MAX + 5);
	problems_sum_up(&problems, NULL, &complaint);
	assert_string_equal(complaint.text, "0; 104 more: 'stickyctl check' names them");
	problems_fini(&problems);
	assert_int_equal(problems_count(&problems), 0);
}

/* All scalar options of the command line can also be set in the file. */
static void every_option_can_be_in_the_file(void **state)
{
	const struct config_option *option;
	char content[128], name[OPTION_SPELLED_SIZE];
	struct config config;
	size_t i;

	(void)state;
	for (i = 0; (option = option_at(i)); i++) {
		if (option->doc.key == 'c')
			continue;
		option_spell(option, name);
		snprintf(content, sizeof(content), "%s: ''\n", name);
		/* An empty text is wrong for all. */
		assert_int_equal(read_text(&config, content), -EBADMSG);
		if (complaint.text[0])
			assert_non_null(strstr(complaint.text, name));
		config_fini(&config);
	}
}

static void no_bytes_break_it(void **state)
{
	static const char *const seeds[] = {"workers: 4\n", "env: {A: b}\n", "command: [a, b]\n",
					    "listen:\n- a\n- &x b\n- *x\n",
					    "\"n\\x41me\": |\n  w\n"};
	char text[64];
	struct config config;
	uint32_t random = 1, round;

	(void)state;
	for (round = 0; round < 5000; round++) {
		const char *seed = seeds[round % COUNT(seeds)];
		size_t size = strlen(seed), changes;
		int error;

		memcpy(text, seed, size);
		for (changes = 0; changes < 1 + round % 4; changes++) {
			random = random * 1664525 + 1013904223;
			text[(random >> 8) % size] = (char)(random >> 24);
		}
		write_file(text, size);
		config_init(&config);
		complaint.text[0] = '\0';
		error = read_named(&config, path);
		assert_true(!error || (error == -EBADMSG && complaint.text[0]));
		config_fini(&config);
	}
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
	struct config config;
	char *large = calloc(1, 1 << 20);

	(void)state;
	config_init(&config);
	assert_int_equal(read_named(&config, "/nonexistent"), -ENOENT);
	assert_non_null(strstr(complaint.text, "/nonexistent"));
	assert_int_equal(read_named(&config, "/tmp"), -EISDIR);
	assert_int_equal(read_named(&config, "/dev/zero"), -EINVAL);
	memset(large, '#', 1 << 20);
	write_file(large, 1 << 20);
	assert_int_equal(read_named(&config, path), -EFBIG);
	assert_non_null(strstr(complaint.text, "1 MiB"));
	free(large);
	config_fini(&config);
}

static void later_sources_win(void **state)
{
	char *environment[] = {(char[]){"STICKYCTL_WORKERS=3"}, (char[]){"STICKYCTL_LISTEN=:2"},
			       (char[]){"STICKYCTL_ENV=B=environment"}, NULL};
	struct config_sources sources = {.environment = environment};
	static const char content[] = "workers: 2\nbacklog: 2\nlisten: [':1', ':11']\n"
				      "min_uptime: 2s\nenv: {A: file}\nname: filed\n"
				      "command: [a]\n";
	char *command[] = {(char[]){"b"}, NULL};
	struct config config;

	(void)state;
	write_file(content, strlen(content));
	assert_int_equal(sources_add(&sources, 'c', path), 0);
	assert_int_equal(sources_load(&sources, &config, &complaint), 0);
	assert_int_equal(config.workers, 3);
	assert_int_equal(config.backlog, 2);
	assert_int_equal(config.listen.count, 1);
	assert_string_equal(config.listen.items[0], ":2");
	assert_int_equal(config.identity.env.count, 2);
	assert_string_equal(config.name, "filed");
	assert_string_equal(config.command[0], "a");
	config_fini(&config);

	assert_int_equal(sources_add(&sources, 'w', "4"), 0);
	assert_int_equal(sources_add(&sources, 'l', ":3"), 0);
	assert_int_equal(sources_add(&sources, 'l', ":33"), 0);
	sources.command = command;
	assert_int_equal(sources_load(&sources, &config, &complaint), 0);
	assert_int_equal(config.workers, 4);
	assert_int_equal(config.listen.count, 2);
	assert_string_equal(config.listen.items[0], ":3");
	assert_int_equal(config.timing.min_uptime_ms, 2000);
	assert_string_equal(config.command[0], "b");
	config_fini(&config);
	sources_fini(&sources);
}

static void what_cannot_change_is_kept_and_named(void **state)
{
	struct config running, next;
	const struct config *before;
	char names[CONFIG_NAMES_SIZE];

	(void)state;
	assert_int_equal(read_text(&running, "listen: ':1'\nworkers: 2\nname: a\nuser: x\n"
					     "backlog: 5\ncommand: [a]\n"),
			 0);
	running.command = running.file_command.items;
	before = &running;
	assert_int_equal(read_text(&next, "listen: ':2'\nworkers: 3\nname: a\nuser: y\n"
					  "backlog: 5\nv6_prefix: 56\ncommand: [b, c]\n"),
			 0);
	next.command = next.file_command.items;
	config_replace(&running, &next, sizeof(names), names);
	assert_string_equal(names, "listen user v6-prefix");
	assert_string_equal(before->listen.items[0], ":1");
	assert_string_equal(before->identity.user, "x");
	assert_int_equal(before->v6_prefix, 64);
	assert_int_equal(before->workers, 3);
	assert_string_equal(before->command[1], "c");

	/* Workers that are processes stay processes. */
	assert_int_equal(read_text(&next, "listen: ':1'\nname: a\nuser: x\nbacklog: 5\n"), 0);
	config_replace(&running, &next, sizeof(names), names);
	assert_string_equal(names, "command");
	assert_string_equal(running.command[1], "c");
	config_fini(&running);
}

static void a_takeover_names_what_only_a_start_changes(void **state)
{
	uint64_t previous[CONFIG_FIXED_MAX], present[CONFIG_FIXED_MAX];
	struct config config;
	char names[CONFIG_NAMES_SIZE];

	(void)state;
	assert_int_equal(read_text(&config, "listen: ':1'\nuser: a\nworkers: 2\n"), 0);
	config_fixed_ids(&config, previous);
	config_fini(&config);
	assert_int_equal(read_text(&config, "listen: ':1'\nuser: b\nworkers: 3\n"), 0);
	config_fixed_ids(&config, present);
	config_fixed_differences(previous, present, sizeof(names), names);
	assert_string_equal(names, "");
	config_fini(&config);
	assert_int_equal(read_text(&config, "listen: [':1', ':2']\nv4_prefix: 24\n"), 0);
	config_fixed_ids(&config, present);
	config_fixed_differences(previous, present, sizeof(names), names);
	assert_string_equal(names, "listen v4-prefix");
	config_fini(&config);
	/* An older program does not know the last options: its file has 0 there. */
	assert_int_equal(read_text(&config, "listen: ':1'\nmark: 1\ntransparent: yes\n"), 0);
	config_fixed_ids(&config, present);
	config_fixed_differences(previous, present, sizeof(names), names);
	assert_string_equal(names, "mark transparent");
	memset(previous + 15, 0, sizeof(previous) - 15 * sizeof(previous[0]));
	config_fixed_differences(previous, present, sizeof(names), names);
	assert_string_equal(names, "");
	config_fini(&config);
}

static void there_is_room_for_the_hash_of_each_fixed_option(void **state)
{
	uint64_t ids[CONFIG_FIXED_MAX];
	struct config config;

	(void)state;
	config_init(&config);
	config_fixed_ids(&config, ids);
	assert_int_equal(ids[CONFIG_FIXED_MAX - 1], 0);
	config_fini(&config);
}

static int make_file(void **state)
{
	(void)state;
	return mkstemp(path) < 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_taken),
		cmocka_unit_test(other_spellings_are_taken_too),
		cmocka_unit_test(what_is_wrong_is_said_with_its_place),
		cmocka_unit_test(all_mistakes_are_told_at_once),
		cmocka_unit_test(a_reload_tells_the_first_and_counts_the_others),
		cmocka_unit_test(the_list_of_mistakes_is_bounded),
		cmocka_unit_test(every_option_can_be_in_the_file),
		cmocka_unit_test(no_bytes_break_it),
		cmocka_unit_test(a_file_that_cannot_be_read_is_named),
		cmocka_unit_test(later_sources_win),
		cmocka_unit_test(what_cannot_change_is_kept_and_named),
		cmocka_unit_test(a_takeover_names_what_only_a_start_changes),
		cmocka_unit_test(there_is_room_for_the_hash_of_each_fixed_option),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
