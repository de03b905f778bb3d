// SPDX-License-Identifier: MIT
/*
 * Workers' output is passed on completely, line by line if that is configured, and no process has
 * to wait.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "process/output.h"
#include "../support/wait.h"

#define MEGABYTE    (1 << 20)
#define DEADLINE_MS ((uint64_t)wait_scaled_ms(10000))

static struct event_base *base;
static struct output_sink *sink;
static struct output_source *source;
static struct output_tail *tail;
static int source_fd, sink_fd;
static int worker; /* the worker's end, to which the test writes; -1: closed */
static int reader; /* the end from which the test reads */
static char *seen; /* the bytes that the test has read */
static size_t seen_length;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int open_pipes(void **state)
{
	int from[2], to[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (pipe2(from, O_CLOEXEC) || pipe2(to, O_CLOEXEC))
		return -1;
	source_fd = from[0];
	sink_fd = to[1];
	worker = from[1];
	reader = to[0];
	fcntl(worker, F_SETFL, O_NONBLOCK);
	fcntl(reader, F_SETFL, O_NONBLOCK); /* the other end stays blocking */
	seen = malloc(4 * MEGABYTE);
	seen_length = 0;
	source = NULL;
	base = event_base_new();
	if (!seen || !base || output_tail_open(&tail) || output_sink_open(base, sink_fd, &sink))
		return -1;
	return 0;
}

static void open_source(const char *prefix)
{
	assert_int_equal(output_source_open(base, source_fd, sink, prefix, tail, &source), 0);
}

static void close_worker(void)
{
	if (worker >= 0)
		close(worker);
	worker = -1;
}

static int close_pipes(void **state)
{
	(void)state;
	close_worker();
	output_source_close(source);
	output_sink_close(sink);
	output_tail_close(tail);
	event_base_free(base);
	close(sink_fd);
	if (reader >= 0)
		close(reader);
	free(seen);
	return 0;
}

/* Read the bytes that are there, at most `limit`. */
static void read_seen(size_t limit)
{
	while (limit && seen_length < 4 * MEGABYTE) {
		size_t room = 4 * MEGABYTE - seen_length;
		ssize_t length = read(reader, seen + seen_length, limit < room ? limit : room);

		if (length <= 0)
			return;
		seen_length += (size_t)length;
		limit -= (size_t)length;
	}
}

/* One turn of the loop. It must not block, however slow the reader is. */
static void turn(void)
{
	uint64_t before = now_ms();

	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_true(now_ms() - before < DEADLINE_MS / 10);
}

/* Run until the worker's output has been passed on, and `length` bytes have been read. */
static void settle(size_t length)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;

	do {
		turn();
		read_seen(SIZE_MAX);
	} while (seen_length < length && now_ms() < deadline);
	turn();
	read_seen(SIZE_MAX);
}

static void say(const char *text)
{
	assert_int_equal(write(worker, text, strlen(text)), strlen(text));
}

static void expect(const char *text)
{
	settle(strlen(text));
	seen[seen_length] = '\0';
	assert_string_equal(seen, text);
}

static void raw_bytes_come_as_they_are(void **state)
{
	(void)state;
	open_source("");
	say("no end");
	expect("no end"); /* after a moment, in which the rest could have come */
	say(" yet\n\n\nx");
	expect("no end yet\n\n\nx");
	close_worker();
	settle(0);
	output_source_close(source);
	source = NULL;
	expect("no end yet\n\n\nx");
}

static void each_line_gets_the_prefix(void **state)
{
	(void)state;
	open_source("[2] ");
	say("one\ntwo\n\nthr");
	expect("[2] one\n[2] two\n[2] \n");
	say("ee\nfour");
	expect("[2] one\n[2] two\n[2] \n[2] three\n");
	/* The last line gets a line end when the worker ends. */
	close_worker();
	output_source_close(source);
	source = NULL;
	expect("[2] one\n[2] two\n[2] \n[2] three\n[2] four\n");
}

/* Two workers write in turn. Each line comes from one of them. */
static void lines_of_two_workers_do_not_mix(void **state)
{
	struct output_source *other;
	int from[2];

	(void)state;
	open_source("a ");
	assert_int_equal(pipe(from), 0);
	assert_int_equal(output_source_open(base, from[0], sink, "b ", tail, &other), 0);
	say("half");
	settle(0);
	assert_int_equal(write(from[1], "whole\n", 6), 6);
	expect("b whole\n");
	say(" line\n");
	expect("b whole\na half line\n");
	close(from[1]);
	output_source_close(other);
}

/* Count the letters, without prefixes and line ends. */
static size_t count_payload(char letter)
{
	size_t i, count = 0;

	for (i = 0; i < seen_length; i++)
		count += seen[i] == letter;
	return count;
}

static size_t longest_line(void)
{
	size_t i, length = 0, longest = 0;

	for (i = 0; i < seen_length; i++) {
		length = seen[i] == '\n' ? 0 : length + 1;
		longest = length > longest ? length : longest;
	}
	return longest;
}

/* A line of 9 KB comes in several reads; a pipe takes 4 KB at once. */
static void long_raw_lines_of_two_workers_do_not_mix(void **state)
{
	static char half[4500];
	struct output_source *other;
	size_t i;
	int from[2];

	(void)state;
	open_source("");
	assert_int_equal(pipe(from), 0);
	assert_int_equal(output_source_open(base, from[0], sink, "", tail, &other), 0);
	memset(half, 'a', sizeof(half));
	assert_int_equal(write(worker, half, sizeof(half)), sizeof(half));
	settle(0);
	assert_int_equal(write(from[1], "bbb\n", 4), 4);
	settle(4);
	half[sizeof(half) - 1] = '\n';
	assert_int_equal(write(worker, half, sizeof(half)), sizeof(half));
	settle(4 + 2 * sizeof(half));
	assert_memory_equal(seen, "bbb\n", 4);
	for (i = 4; i < seen_length - 1; i++)
		assert_int_equal(seen[i], 'a');
	close(from[1]);
	output_source_close(other);
}

static void a_line_without_an_end_is_passed_in_parts(void **state)
{
	static char text[140000];
	size_t written;

	(void)state;
	open_source("[2] ");
	memset(text, 'x', sizeof(text));
	for (written = 0; written < sizeof(text); settle(0)) {
		ssize_t length = write(worker, text + written, sizeof(text) - written);

		written += length > 0 ? (size_t)length : 0;
	}
	settle(sizeof(text) - 70000);
	assert_true(count_payload('x') > sizeof(text) - 70000); /* it does not wait for the end */
	say("\nnext\n");
	settle(sizeof(text) + 12);
	assert_int_equal(count_payload('x') - 1, sizeof(text)); /* "next" has one */
	assert_true(longest_line() < 90000);
	assert_memory_equal(seen, "[2] xxx", 7);
	assert_memory_equal(seen + seen_length - 10, "\n[2] next\n", 10);
}

/* ---- A slow reader ---------------------------------------------------------------- */

static char *lines; /* a megabyte of numbered lines */

static int make_lines(void **state)
{
	size_t i;

	(void)state;
	lines = malloc(MEGABYTE);
	if (!lines)
		return -1;
	for (i = 0; i < MEGABYTE; i++)
		lines[i] = i % 64 == 63 ? '\n' : (char)('!' + (i / 64 + i % 64 * 7) % 90);
	return 0;
}

static int free_lines(void **state)
{
	(void)state;
	free(lines);
	return 0;
}

/* Write as much as the pipe takes. Returns how much of the megabyte has been written so far. */
static size_t push(size_t done)
{
	while (done < MEGABYTE) {
		ssize_t length = write(worker, lines + done, MEGABYTE - done);

		if (length < 0)
			break;
		done += (size_t)length;
	}
	return done;
}

/* Write until the pipe is full, while no process reads. */
static size_t push_until_stuck(void)
{
	size_t done = 0, before;
	int idle = 0;

	while (idle < 50 && done < MEGABYTE) {
		before = done;
		done = push(done);
		turn();
		idle = done == before ? idle + 1 : 0;
	}
	return done;
}

static void pull_slowly(size_t done, size_t total)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;

	while (seen_length < total && now_ms() < deadline) {
		done = push(done);
		turn();
		read_seen(3000);
	}
	assert_int_equal(done, MEGABYTE);
	assert_int_equal(seen_length, total);
}

static void a_slow_reader_blocks_nobody_and_loses_nothing(void **state)
{
	size_t done;

	(void)state;
	open_source("");
	done = push_until_stuck();
	/* The worker's pipe is full, as it would be without the controller: memory is bounded. */
	assert_true(done < MEGABYTE / 2);
	pull_slowly(done, MEGABYTE);
	assert_memory_equal(seen, lines, MEGABYTE);
}

static void check_prefixed(void)
{
	size_t i;

	for (i = 0; i < MEGABYTE / 64; i++) {
		assert_memory_equal(seen + i * 68, "[2] ", 4);
		assert_memory_equal(seen + i * 68 + 4, lines + i * 64, 64);
	}
}

static void nor_where_lines_get_a_prefix(void **state)
{
	(void)state;
	open_source("[2] ");
	pull_slowly(push_until_stuck(), MEGABYTE / 64 * 68);
	check_prefixed();
}

/* A worker ends while the reader is slow: its output is not lost. */
static void what_a_dead_worker_said_is_kept_for_a_slow_reader(void **state)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;
	size_t done;

	(void)state;
	open_source("");
	done = push_until_stuck();
	close_worker();
	output_source_close(source);
	source = NULL;
	while (seen_length < done && now_ms() < deadline) {
		turn();
		read_seen(5000);
	}
	assert_int_equal(seen_length, done);
	assert_memory_equal(seen, lines, done);
}

static void without_a_reader_workers_go_on(void **state)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;
	size_t done;
	char text[100];

	(void)state;
	open_source("");
	done = push_until_stuck();
	close(reader);
	reader = -1;
	while (done < MEGABYTE && now_ms() < deadline) {
		turn();
		done = push(done);
	}
	assert_int_equal(done, MEGABYTE);
	/* The tail is still kept. */
	output_source_drain(source);
	output_tail_read(tail, sizeof(text), text);
	assert_int_equal(text[strlen(text) - 1], '\n');
}

static void at_the_end_of_the_pipe_nothing_spins(void **state)
{
	(void)state;
	open_source("");
	say("bye\n");
	close_worker();
	settle(4);
	settle(4);
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
	expect("bye\n");
}

/* ---- The tail --------------------------------------------------------------------- */

static void expect_tail(size_t size, const char *expected)
{
	static char text[8192];

	assert_true(size <= sizeof(text));
	output_source_drain(source);
	memset(text, 'Z', sizeof(text));
	output_tail_read(tail, size, text);
	assert_string_equal(text, expected);
	assert_true(strlen(text) < size);
}

static void the_tail_has_the_last_whole_lines(void **state)
{
	(void)state;
	open_source("[2] ");
	expect_tail(64, "");
	say("one\ntwo\nthree");
	expect_tail(64, "one\ntwo\nthree"); /* the prefix is not part of the worker's output */
	expect_tail(12, "two\nthree");
	/*
	 * "wo
	 * three" would begin within a line
	 */
	expect_tail(9, "three");
	say("\n");
	expect_tail(10, "three\n");
}

static void a_line_that_just_fits_is_in_the_tail(void **state)
{
	(void)state;
	open_source("");
	say("one\ntwo\nthree\n");
	expect_tail(11, "two\nthree\n");
	expect_tail(7, "three\n");
}

static void the_end_of_a_line_that_is_too_long_is_in_the_tail(void **state)
{
	(void)state;
	open_source("");
	say("before\nError: it is all over");
	expect_tail(9, "all over");
	say("\n");
	expect_tail(10, "all over\n");
}

static void a_long_output_leaves_its_end_in_the_tail(void **state)
{
	char text[4096];
	int i;

	(void)state;
	open_source("");
	for (i = 0; i < 1000; i++) {
		char line[32];

		snprintf(line, sizeof(line), "line %04d\n", i);
		say(line);
	}
	output_source_drain(source);
	output_tail_read(tail, sizeof(text), text);
	assert_true(strlen(text) >= 2030 && strlen(text) <= 2048);
	assert_int_equal(strlen(text) % 10, 0);
	assert_memory_equal(text, "line 0", 6);
	assert_string_equal(text + strlen(text) - 10, "line 0999\n");
}

#define OUTPUT_TEST(function) cmocka_unit_test_setup_teardown(function, open_pipes, close_pipes)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OUTPUT_TEST(raw_bytes_come_as_they_are),
		OUTPUT_TEST(each_line_gets_the_prefix),
		OUTPUT_TEST(lines_of_two_workers_do_not_mix),
		OUTPUT_TEST(long_raw_lines_of_two_workers_do_not_mix),
		OUTPUT_TEST(a_line_without_an_end_is_passed_in_parts),
		OUTPUT_TEST(a_slow_reader_blocks_nobody_and_loses_nothing),
		OUTPUT_TEST(nor_where_lines_get_a_prefix),
		OUTPUT_TEST(what_a_dead_worker_said_is_kept_for_a_slow_reader),
		OUTPUT_TEST(without_a_reader_workers_go_on),
		OUTPUT_TEST(at_the_end_of_the_pipe_nothing_spins),
		OUTPUT_TEST(the_tail_has_the_last_whole_lines),
		OUTPUT_TEST(a_line_that_just_fits_is_in_the_tail),
		OUTPUT_TEST(the_end_of_a_line_that_is_too_long_is_in_the_tail),
		OUTPUT_TEST(a_long_output_leaves_its_end_in_the_tail),
	};

	return cmocka_run_group_tests(tests, make_lines, free_lines);
}
