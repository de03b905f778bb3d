// SPDX-License-Identifier: MIT
/* The journal keeps the last events in order, and calls its followers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/journal.h"
#include "sticky.h"

static struct journal *journal;
static char logged[4096]; /* the log line of the last event */

static int open_journal(void **state)
{
	(void)state;
	return journal_open(&journal);
}

static int close_journal(void **state)
{
	(void)state;
	journal_close(journal);
	return 0;
}

/* Add an event. Its log line is in `logged` afterwards. */
static void add(const char *event, json_t *fields)
{
	int pipe_fds[2], previous = dup(STDERR_FILENO);
	ssize_t length;

	assert_int_equal(pipe2(pipe_fds, O_NONBLOCK), 0);
	dup2(pipe_fds[1], STDERR_FILENO);
	journal_add(journal, STICKY_LOG_INFO, event, fields);
	dup2(previous, STDERR_FILENO);
	length = read(pipe_fds[0], logged, sizeof(logged) - 1);
	logged[length > 0 ? length : 0] = '\0';
	close(previous);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void add_number(int number)
{
	add("tick", json_pack("{s:i}", "number", number));
}

struct heard {
	int count;
	json_int_t first, last;
	struct journal_follower *follower; /* the follower, which is removed during its call */
	int until;
};

static json_int_t number_of(const json_t *event)
{
	return json_integer_value(json_object_get(event, "number"));
}

static void hear(void *context, const json_t *event)
{
	struct heard *heard = context;
	json_int_t number = number_of(event);

	if (heard->count++ == 0)
		heard->first = number;
	else
		assert_int_equal(number, heard->last + 1);
	assert_int_equal(json_integer_value(json_object_get(event, "seq")), number);
	heard->last = number;
	if (heard->follower && heard->count == heard->until) {
		journal_unfollow(journal, heard->follower);
		heard->follower = NULL;
	}
}

static void nothing_happened_yet(void **state)
{
	struct heard heard = {0};

	(void)state;
	journal_replay(journal, hear, &heard);
	assert_int_equal(heard.count, 0);
	journal_close(NULL);
}

static void check_replay(int events)
{
	int kept = events < JOURNAL_KEPT ? events : JOURNAL_KEPT;
	struct heard heard = {0};

	journal_replay(journal, hear, &heard);
	assert_int_equal(heard.count, kept);
	assert_int_equal(heard.first, events - kept);
	assert_int_equal(heard.last, events - 1);
}

static void the_last_1024_are_kept_in_their_order(void **state)
{
	int number;

	(void)state;
	assert_int_equal(JOURNAL_KEPT, 1024);
	for (number = 0; number < 3 * JOURNAL_KEPT + 5; number++) {
		add_number(number);
		if (number < 3 || number % 511 == 0 ||
		    (number >= JOURNAL_KEPT - 2 && number <= JOURNAL_KEPT + 1))
			check_replay(number + 1);
	}
	check_replay(number);
}

static void find_moment(void *context, const json_t *event)
{
	const char **ret_time = context;

	*ret_time = json_string_value(json_object_get(event, "time"));
}

static void an_event_has_its_time_and_its_word(void **state)
{
	const char *time = NULL;
	char end;
	int year, month, day, hour, minute, second, ms;

	(void)state;
	add("ready", NULL);
	journal_replay(journal, find_moment, &time);
	assert_non_null(time);
	assert_int_equal(sscanf(time, "%4d-%2d-%2dT%2d:%2d:%2d.%3d%c", &year, &month, &day, &hour,
				&minute, &second, &ms, &end),
			 8);
	assert_int_equal(end, 'Z');
	assert_int_equal(strlen(time), strlen("2000-01-01T00:00:00.000Z"));
	assert_non_null(strstr(logged, "info  ready\n"));
}

static void fields_are_logged_in_their_order(void **state)
{
	(void)state;
	add("exited", json_pack("{s:i, s:s, s:b, s:b, s:s, s:I}", "slot", 3, "how", "status",
				"core", 0, "hard", 1, "why", "two words", "pid", (json_int_t)-7));
	assert_non_null(strstr(logged, "info  exited slot=3 how=status core=no hard=yes "
				       "why=\"two words\" pid=-7\n"));
}

static void a_workers_words_stay_on_one_line(void **state)
{
	char words[1150];
	size_t length;

	(void)state;
	add("status", json_pack("{s:s}", "text", "a\nb\x1b[2J"));
	assert_non_null(strstr(logged, "a?b?[2J"));
	assert_ptr_equal(strchr(logged, '\n'), logged + strlen(logged) - 1);

	/*
	 * The lengths are around that of the log line. The rest of a long text is cut off, and no
	 * byte is written behind the line.
	 */
	for (length = 1000; length < sizeof(words); length++) {
		memset(words, 'w', length);
		words[length] = '\0';
		add("status", json_pack("{s:s, s:i, s:i}", "text", words, "slot", 1, "pid", 2));
		assert_ptr_equal(strchr(logged, '\n'), logged + strlen(logged) - 1);
	}
}

static void followers_are_told_of_what_follows(void **state)
{
	struct heard one = {0}, two = {0};
	struct journal_follower *first, *second;

	(void)state;
	add_number(0);
	first = journal_follow(journal, hear, &one);
	add_number(1);
	second = journal_follow(journal, hear, &two);
	add_number(2);
	journal_unfollow(journal, first);
	add_number(3);
	assert_int_equal(one.first, 1);
	assert_int_equal(one.count, 2);
	assert_int_equal(two.first, 2);
	assert_int_equal(two.count, 2);
	journal_unfollow(journal, second);
	add_number(4);
	assert_int_equal(two.count, 2);
}

static void one_may_unfollow_while_it_is_told(void **state)
{
	struct heard heard[4] = {{0}};
	int i, number;

	(void)state;
	for (i = 0; i < 4; i++) {
		heard[i].until = 1 + i % 2; /* followers 0 and 2 end first, then 1 and 3 */
		heard[i].follower = journal_follow(journal, hear, &heard[i]);
	}
	for (number = 0; number < 3; number++)
		add_number(number);
	for (i = 0; i < 4; i++) {
		assert_int_equal(heard[i].count, heard[i].until);
		assert_null(heard[i].follower);
	}
}

static struct journal_follower *others[3];
static int calls;

static void end_all_others(void *context, const json_t *event)
{
	size_t i, self = (size_t)(uintptr_t)context;

	(void)event;
	calls++;
	for (i = 0; i < 3; i++)
		if (i != self)
			journal_unfollow(journal, others[i]);
}

/*
 * The follower that is called first removes the followers before and behind it. They are neither
 * called nor touched.
 */
static void one_may_end_others_while_it_is_told(void **state)
{
	size_t i;

	(void)state;
	calls = 0;
	for (i = 0; i < 3; i++)
		others[i] = journal_follow(journal, end_all_others, (void *)(uintptr_t)i);
	add_number(0);
	assert_int_equal(calls, 1);
}

/* The journal frees the followers that are left when it is closed. LeakSanitizer checks this. */
static void those_who_still_follow_are_let_go(void **state)
{
	static struct heard heard;

	(void)state;
	assert_non_null(journal_follow(journal, hear, &heard));
	assert_non_null(journal_follow(journal, hear, &heard));
}

#define JOURNAL_TEST(function)                                                                     \
	cmocka_unit_test_setup_teardown(function, open_journal, close_journal)

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOURNAL_TEST(nothing_happened_yet),
		JOURNAL_TEST(the_last_1024_are_kept_in_their_order),
		JOURNAL_TEST(an_event_has_its_time_and_its_word),
		JOURNAL_TEST(fields_are_logged_in_their_order),
		JOURNAL_TEST(a_workers_words_stay_on_one_line),
		JOURNAL_TEST(followers_are_told_of_what_follows),
		JOURNAL_TEST(one_may_unfollow_while_it_is_told),
		JOURNAL_TEST(one_may_end_others_while_it_is_told),
		JOURNAL_TEST(those_who_still_follow_are_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
