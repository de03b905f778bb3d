// SPDX-License-Identifier: MIT
/*
 * The counters of connections that a controller takes over from the previous one, also if another
 * version wrote them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "handoff/exits.h"
#include "state/state_file.h"

static void what_the_previous_controller_held_has_an_exit(void **state)
{
	struct traffic traffic = {.dispatch.accepted = 100, .delivery.handed = 80};
	struct exit_counters exits = {.stop = 1, .no_memory = 2};

	(void)state;
	exits_balance(&traffic, 7, &exits);
	assert_int_equal(exits.controller_ended, 10);
	assert_int_equal(exits.accepted_from_holding, 0);
	exits_balance(&traffic, 7, &exits);
	assert_int_equal(exits.controller_ended, 10);
}

static void answers_of_an_older_version_came_from_holding_sockets(void **state)
{
	struct traffic traffic = {.delivery.answered = 5};
	struct exit_counters exits = {0};

	(void)state;
	exits_balance(&traffic, 0, &exits);
	assert_int_equal(exits.accepted_from_holding, 5);
	assert_int_equal(exits.controller_ended, 0);
}

/* Write a state file, and cut it off at this size. Returns the result of reading it. */
static int read_file_of(size_t size, struct state_file_content **ret_content)
{
	char directory[] = "/tmp/test_exits-XXXXXX", path[64];
	struct state_file file = {0};
	int error;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/slots", directory);
	assert_int_equal(state_file_create(path, &file), 0);
	file.content->slots = file.content->listeners = 1;
	file.content->traffic.dispatch.accepted = 3;
	file.content->exits.stop = 2;
	file.content->heads.too_long = 4;
	assert_int_equal(state_file_install(path), 0);
	state_file_close(&file);
	assert_int_equal(truncate(path, (off_t)size), 0);
	error = state_file_read(path, ret_content);
	unlink(path);
	rmdir(directory);
	return error;
}

static void a_file_of_an_older_program_has_no_exits(void **state)
{
	struct state_file_content *content = NULL;
	size_t older = offsetof(struct state_file_content, exits);

	(void)state;
	assert_int_equal(read_file_of(older, &content), 0);
	assert_int_equal(content->traffic.dispatch.accepted, 3);
	assert_int_equal(content->exits.stop, 0);
	assert_int_equal(content->more_fixed_ids[0], 0);
	free(content);
	assert_int_equal(read_file_of(older - 1, &content), -EPROTO);
}

static void a_file_of_an_older_program_has_no_long_heads(void **state)
{
	struct state_file_content *content = NULL;
	size_t older = offsetof(struct state_file_content, heads);

	(void)state;
	/* Where each of these lies is part of the file's format. */
	assert_int_equal(offsetof(struct state_file_content, more_fixed_ids) +
				 sizeof(content->more_fixed_ids),
			 offsetof(struct state_file_content, workers_send_alive));
	assert_int_equal(offsetof(struct state_file_content, workers_send_alive) + sizeof(uint64_t),
			 older);
	assert_int_equal(read_file_of(older, &content), 0);
	assert_int_equal(content->exits.stop, 2);
	assert_int_equal(content->heads.too_long, 0);
	free(content);
}

static void a_file_of_a_newer_program_is_longer(void **state)
{
	struct state_file_content *content = NULL;

	(void)state;
	assert_int_equal(read_file_of(sizeof(*content) + 100, &content), 0);
	assert_int_equal(content->exits.stop, 2);
	assert_int_equal(content->heads.too_long, 4);
	free(content);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_previous_controller_held_has_an_exit),
		cmocka_unit_test(answers_of_an_older_version_came_from_holding_sockets),
		cmocka_unit_test(a_file_of_an_older_program_has_no_exits),
		cmocka_unit_test(a_file_of_an_older_program_has_no_long_heads),
		cmocka_unit_test(a_file_of_a_newer_program_is_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
