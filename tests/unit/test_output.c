// SPDX-License-Identifier: MIT
/*
 * Workers' output is passed on completely, line by line if that is configured, and no process has
 * to wait for a reader.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "process/output.h"
#include "../support/wait.h"

#define MEGABYTE    (1 << 20)
#define DEADLINE_MS ((uint64_t)wait_scaled_ms(10000))

static struct event_base *base;
static struct line_writer *writer;
static struct line_ring *ring;
static size_t begun;
static struct line_origin origin;
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
	seen = malloc(9 * MEGABYTE);
	seen_length = 0;
	source = NULL;
	base = event_base_new();
	begun = 0;
	origin = (struct line_origin){.slot = 2, .generation = 7, .pid = 99, .stream = "stdout"};
	if (!seen || !base || output_tail_open(&tail) || line_writer_open(sink_fd, &writer) ||
	    line_ring_open(4, &ring))
		return -1;
	return 0;
}

static void find_origin(void *context, struct line_origin *ret_origin)
{
	(void)context;
	*ret_origin = origin;
}

static struct output_route route_of(enum output_form form)
{
	return (struct output_route){.writer = writer,
				     .form = form,
				     .ring = ring,
				     .tail = tail,
				     .begun = &begun,
				     .origin = find_origin};
}

static void open_route(const struct output_route *route)
{
	assert_int_equal(output_source_open(base, source_fd, route, &source), 0);
}

static void open_source(enum output_form form)
{
	const struct output_route route = route_of(form);

	open_route(&route);
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
	line_writer_close(writer);
	line_ring_close(ring);
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
	while (limit && seen_length < 9 * MEGABYTE) {
		size_t room = 9 * MEGABYTE - seen_length;
		ssize_t length = read(reader, seen + seen_length, limit < room ? limit : room);

		if (length <= 0)
			return;
		seen_length += (size_t)length;
		limit -= (size_t)length;
	}
}

/* Run the loop once. It must not block, however slow the reader is. */
static void turn(void)
{
	uint64_t before = now_ms();

	event_base_loop(base, EVLOOP_NONBLOCK);
	line_writer_flush(writer);
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
	open_source(OUTPUT_RAW);
	say("no end");
	expect("no end"); /* after a moment in which the rest could have arrived */
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
	open_source(OUTPUT_PREFIX);
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
	const struct output_route route = route_of(OUTPUT_PREFIX);
	struct output_source *other;
	int from[2];

	(void)state;
	open_route(&route);
	assert_int_equal(pipe(from), 0);
	assert_int_equal(output_source_open(base, from[0], &route, &other), 0);
	say("half");
	settle(0);
	assert_int_equal(write(from[1], "whole\n", 6), 6);
	expect("[2] whole\n");
	say(" line\n");
	expect("[2] whole\n[2] half line\n");
	close(from[1]);
	output_source_close(other);
}

/* Count a letter in the output. */
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

/*
 * One worker writes a line of 9 KB in two parts, another worker writes a line in between. (Only
 * PIPE_BUF, 4 KB, is written to a pipe atomically.)
 */
static void long_raw_lines_of_two_workers_do_not_mix(void **state)
{
	const struct output_route route = route_of(OUTPUT_RAW);
	static char half[4500];
	struct output_source *other;
	size_t i;
	int from[2];

	(void)state;
	open_route(&route);
	assert_int_equal(pipe(from), 0);
	assert_int_equal(output_source_open(base, from[0], &route, &other), 0);
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
	open_source(OUTPUT_PREFIX);
	memset(text, 'x', sizeof(text));
	for (written = 0; written < sizeof(text); settle(0)) {
		ssize_t length = write(worker, text + written, sizeof(text) - written);

		written += length > 0 ? (size_t)length : 0;
	}
	settle(sizeof(text) - 70000);
	assert_true(count_payload('x') > sizeof(text) - 70000); /* it is passed before it ends */
	say("\nnext\n");
	settle(sizeof(text) + 12);
	assert_int_equal(count_payload('x') - 1, sizeof(text)); /* without the x of "next" */
	assert_true(longest_line() < 90000);
	assert_memory_equal(seen, "[2] xxx", 7);
	assert_memory_equal(seen + seen_length - 10, "\n[2] next\n", 10);
}

/* ---- A slow reader ---------------------------------------------------------------- */

#define LINE_SIZE 64
#define FLOOD	  (12 * MEGABYTE)

/* Fill a line of 64 bytes with its number. */
static void make_line(size_t number, char line[LINE_SIZE + 1])
{
	snprintf(line, LINE_SIZE + 1, "%063zu\n", number);
}

/*
 * Write numbered lines while no process reads them. The worker's pipe never stays full, so that the
 * worker does not wait.
 */
static void flood(size_t bytes)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;
	char line[LINE_SIZE + 1];
	size_t number;

	for (number = 0; number < bytes / LINE_SIZE; number++) {
		make_line(number, line);
		while (write(worker, line, LINE_SIZE) < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_true(now_ms() < deadline);
			turn();
		}
	}
	output_source_drain(source);
}

/* Read until nothing more comes. */
static void read_all(void)
{
	size_t before;

	do {
		before = seen_length;
		turn();
		read_seen(SIZE_MAX);
	} while (seen_length != before);
}

/*
 * Check that each line of the output is whole, and that the lines are in order. Returns their
 * number.
 */
static size_t check_lines(size_t prefix)
{
	char line[LINE_SIZE + 1];
	size_t at, count = 0, number = 0;

	for (at = 0; at < seen_length; at += prefix + LINE_SIZE, count++) {
		size_t shown;

		assert_true(at + prefix + LINE_SIZE <= seen_length);
		shown = strtoul(seen + at + prefix, NULL, 10);
		assert_true(count == 0 || shown > number);
		number = shown;
		make_line(number, line);
		assert_memory_equal(seen + at + prefix, line, LINE_SIZE);
	}
	return count;
}

static void check_flood(enum output_form form, size_t prefix)
{
	struct line_losses losses;
	size_t count;

	open_source(form);
	flood(FLOOD);
	read_all();
	count = check_lines(prefix);
	losses = line_writer_losses(writer);
	assert_true(count >= LINE_WRITER_LIMIT / (prefix + LINE_SIZE));
	assert_int_equal(count + losses.lines, FLOOD / LINE_SIZE);
	assert_int_equal(losses.bytes, losses.lines * (prefix + LINE_SIZE));
	/* From now on all output is passed again. */
	seen_length = 0;
	say("x\n");
	expect(prefix ? "[2] x\n" : "x\n");
}

static void a_slow_reader_blocks_nobody_and_losses_are_counted(void **state)
{
	(void)state;
	check_flood(OUTPUT_RAW, 0);
}

static void nor_where_lines_get_a_prefix(void **state)
{
	(void)state;
	check_flood(OUTPUT_PREFIX, 4);
}

/*
 * If the writer can't open a description of its own, it shares that of the sink, which blocks. It
 * then asks poll() before it writes.
 */
static void nor_without_a_description_of_its_own(void **state)
{
	struct rlimit limit, none;

	(void)state;
	line_writer_close(writer);
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(line_writer_open(sink_fd, &writer), 0);
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_int_equal(line_writer_fd(writer), sink_fd);
	check_flood(OUTPUT_RAW, 0);
}

/* Under systemd the output is a socket. */
static void nor_where_a_socket_is_written_to(void **state)
{
	int ends[2];

	(void)state;
	line_writer_close(writer);
	close(sink_fd);
	close(reader);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	sink_fd = ends[0];
	reader = ends[1];
	fcntl(reader, F_SETFL, O_NONBLOCK);
	assert_int_equal(line_writer_open(sink_fd, &writer), 0);
	check_flood(OUTPUT_RAW, 0);
}

static void losses_are_told_once_there_is_room(void **state)
{
	struct line_losses losses = {0}, again;

	(void)state;
	open_source(OUTPUT_RAW);
	assert_false(line_writer_take_losses(writer, &losses));
	flood(FLOOD);
	assert_false(line_writer_take_losses(writer, &losses));
	read_all();
	assert_true(line_writer_take_losses(writer, &losses));
	assert_int_equal(losses.lines, line_writer_losses(writer).lines);
	assert_false(line_writer_take_losses(writer, &again));
}

/* A part of a line was dropped. The rest of it does not become a line of its own. */
static void no_half_line_is_left_of_one_that_was_dropped(void **state)
{
	static char part[MEGABYTE + 2 * 65536];
	size_t written;

	(void)state;
	open_source(OUTPUT_RAW);
	flood(FLOOD);
	memset(part, 'p', sizeof(part));
	for (written = 0; written < sizeof(part); turn()) {
		ssize_t length = write(worker, part + written, sizeof(part) - written);

		written += length > 0 ? (size_t)length : 0;
	}
	output_source_drain(source);
	read_all();
	say("the rest\n0000\n");
	read_all();
	assert_int_equal(count_payload('p'), 0);
	assert_int_equal(count_payload('r'), 0);
	assert_memory_equal(seen + seen_length - 5, "0000\n", 5);
}

/*
 * A part of a line was passed, and the rest is dropped. The part gets a line end, so that the next
 * line is not appended to it.
 */
static void a_line_that_is_half_dropped_is_ended(void **state)
{
	static char filler[LINE_WRITER_LIMIT];
	const struct iovec piece = {.iov_base = filler, .iov_len = sizeof(filler)};

	(void)state;
	open_source(OUTPUT_RAW);
	say("begun");
	expect("begun"); /* after 200 ms */
	memset(filler, 'f', sizeof(filler));
	assert_true(line_writer_add(writer, LINE_LOG, &piece, 1));
	assert_true(line_writer_add(writer, LINE_LOG, &piece, 1)); /* more than the limit */
	say(" dropped\n");
	output_source_drain(source);
	assert_true(line_writer_losses(writer).lines);
	read_all();
	assert_memory_equal(seen, "begunf", 6);
	assert_int_equal(count_payload('d'), 0);
	assert_int_equal(seen[seen_length - 1], '\n');
	assert_int_equal(count_payload('\n'), 1);
}

/* The log has room of its own, which workers' output does not take. */
static void output_does_not_displace_the_log(void **state)
{
	const struct iovec line = {.iov_base = (char *)"warn  a_line_of_the_log\n", .iov_len = 24};

	(void)state;
	open_source(OUTPUT_RAW);
	flood(FLOOD);
	assert_true(line_writer_add(writer, LINE_LOG, &line, 1));
	read_all();
	assert_memory_equal(seen + seen_length - 24, line.iov_base, 24);
}

static void without_a_reader_workers_go_on(void **state)
{
	char text[100];

	(void)state;
	open_source(OUTPUT_RAW);
	close(reader);
	reader = -1;
	flood(FLOOD);
	assert_int_equal(line_writer_losses(writer).lines, FLOOD / LINE_SIZE);
	/* The tail is still kept. */
	output_tail_read(tail, sizeof(text), text);
	assert_int_equal(text[strlen(text) - 1], '\n');
}

/*
 * If the disk is full, lines are lost. Lines that are written later are whole, and the losses are
 * reported.
 */
static void after_a_failed_write_lines_are_whole(void **state)
{
	struct line_losses losses;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	open_source(OUTPUT_PREFIX);
	line_writer_replace(writer, full);
	say("one\ntwo\n");
	settle(0);
	assert_int_equal(line_writer_losses(writer).lines, 2);
	assert_false(line_writer_take_losses(writer, &losses)); /* nor could a report be written */
	line_writer_replace(writer, sink_fd);
	close(full);
	say("three\n");
	expect("[2] three\n");
	assert_true(line_writer_take_losses(writer, &losses));
	assert_int_equal(losses.lines, 2);
}

static void at_the_end_of_the_pipe_nothing_spins(void **state)
{
	(void)state;
	open_source(OUTPUT_RAW);
	say("bye\n");
	close_worker();
	settle(4);
	settle(4);
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
	expect("bye\n");
}

/* ---- Forms ------------------------------------------------------------------------ */

static void the_generation_is_shown_beside_another_one(void **state)
{
	(void)state;
	open_source(OUTPUT_PREFIX);
	say("alone\n");
	expect("[2] alone\n");
	origin.shows_generation = true;
	say("not alone\n");
	expect("[2] alone\n[2 gen 7] not alone\n");
}

static void bytes_of_any_value_pass(void **state)
{
	char line[258], expected[4 + 257];
	int i, length = 0;

	(void)state;
	for (i = 0; i < 256; i++)
		if (i != '\n')
			line[length++] = (char)i;
	line[length++] = '\n';
	memcpy(expected, "[2] ", 4);
	memcpy(expected + 4, line, (size_t)length);
	open_source(OUTPUT_PREFIX);
	assert_int_equal(write(worker, line, (size_t)length), length);
	settle((size_t)length + 4);
	assert_int_equal(seen_length, length + 4);
	assert_memory_equal(seen, expected, seen_length);
}

static void a_priority_comes_first(void **state)
{
	struct output_route route = route_of(OUTPUT_PREFIX);

	(void)state;
	route.has_priority = true;
	open_route(&route);
	say("none\n<3>own\n<9>no priority\n");
	expect("<6>[2] none\n<3>[2] own\n<6>[2] <9>no priority\n");
}

static void json_has_a_line_as_an_object(void **state)
{
	json_t *json;

	(void)state;
	open_source(OUTPUT_JSON);
	assert_int_equal(write(worker, "a \"b\" \xff\0\n", 9), 9);
	settle(10);
	seen[seen_length] = '\0';
	json = json_loads(seen, JSON_ALLOW_NUL, NULL);
	assert_non_null(json);
	assert_memory_equal(json_string_value(json_object_get(json, "line")),
			    "a \"b\" \xef\xbf\xbd\0", 11);
	assert_int_equal(json_integer_value(json_object_get(json, "slot")), 2);
	assert_int_equal(json_integer_value(json_object_get(json, "generation")), 7);
	assert_int_equal(json_integer_value(json_object_get(json, "pid")), 99);
	assert_string_equal(json_string_value(json_object_get(json, "stream")), "stdout");
	assert_string_equal(json_string_value(json_object_get(json, "event")), "worker_output");
	assert_null(json_object_get(json, "part"));
	assert_int_equal(seen[seen_length - 1], '\n');
	json_decref(json);
}

static void lines_are_kept_in_the_ring(void **state)
{
	const struct ring_line *line;

	(void)state;
	open_source(OUTPUT_RAW);
	say("one\ntw");
	settle(6); /* the part is passed after 200 ms */
	line = line_ring_from(ring, 2, 1);
	assert_non_null(line);
	assert_memory_equal(line->bytes, "one", line->length);
	assert_false(line->is_part);
	line = line_ring_next(line, 2);
	assert_non_null(line);
	assert_memory_equal(line->bytes, "tw", line->length);
	assert_true(line->is_part);
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
	open_source(OUTPUT_PREFIX);
	expect_tail(64, "");
	say("one\ntwo\nthree");
	expect_tail(64, "one\ntwo\nthree"); /* the prefix is not part of the worker's output */
	expect_tail(12, "two\nthree");
	/* "wo\nthree" would fit, but begins within a line. */
	expect_tail(9, "three");
	say("\n");
	expect_tail(10, "three\n");
}

static void a_line_that_just_fits_is_in_the_tail(void **state)
{
	(void)state;
	open_source(OUTPUT_RAW);
	say("one\ntwo\nthree\n");
	expect_tail(11, "two\nthree\n");
	expect_tail(7, "three\n");
}

static void the_end_of_a_line_that_is_too_long_is_in_the_tail(void **state)
{
	(void)state;
	open_source(OUTPUT_RAW);
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
	open_source(OUTPUT_RAW);
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

static void what_is_wrong_with_the_descriptor_is_said(void **state)
{
	const struct output_route route = {0};
	struct output_source *none = NULL;
	int fd = dup(STDIN_FILENO);

	(void)state;
	close(fd);
	assert_int_equal(output_source_open(base, fd, &route, &none), -EBADF);
	assert_null(none);
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
		OUTPUT_TEST(a_slow_reader_blocks_nobody_and_losses_are_counted),
		OUTPUT_TEST(nor_where_lines_get_a_prefix),
		OUTPUT_TEST(nor_without_a_description_of_its_own),
		OUTPUT_TEST(nor_where_a_socket_is_written_to),
		OUTPUT_TEST(losses_are_told_once_there_is_room),
		OUTPUT_TEST(no_half_line_is_left_of_one_that_was_dropped),
		OUTPUT_TEST(a_line_that_is_half_dropped_is_ended),
		OUTPUT_TEST(output_does_not_displace_the_log),
		OUTPUT_TEST(without_a_reader_workers_go_on),
		OUTPUT_TEST(after_a_failed_write_lines_are_whole),
		OUTPUT_TEST(at_the_end_of_the_pipe_nothing_spins),
		OUTPUT_TEST(the_generation_is_shown_beside_another_one),
		OUTPUT_TEST(bytes_of_any_value_pass),
		OUTPUT_TEST(a_priority_comes_first),
		OUTPUT_TEST(json_has_a_line_as_an_object),
		OUTPUT_TEST(lines_are_kept_in_the_ring),
		OUTPUT_TEST(the_tail_has_the_last_whole_lines),
		OUTPUT_TEST(a_line_that_just_fits_is_in_the_tail),
		OUTPUT_TEST(the_end_of_a_line_that_is_too_long_is_in_the_tail),
		OUTPUT_TEST(a_long_output_leaves_its_end_in_the_tail),
		OUTPUT_TEST(what_is_wrong_with_the_descriptor_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
