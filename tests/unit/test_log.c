// SPDX-License-Identifier: MIT
/* The log's two forms, priorities for the journal, and the outputs that it shares with workers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/line_writer.h"
#include "common/log.h"
#include "common/log_fields.h"
#include "common/log_file.h"
#include "common/log_output.h"

static struct line_writer *writer;
static int reader, pipe_fd;
static char seen[65536];

static int open_pipe(void **state)
{
	int ends[2];

	(void)state;
	if (pipe2(ends, O_CLOEXEC) || fcntl(ends[0], F_SETFL, O_NONBLOCK))
		return -1;
	reader = ends[0];
	pipe_fd = ends[1];
	if (line_writer_open(pipe_fd, &writer))
		return -1;
	report_set_output(writer, log_is_journal(pipe_fd));
	return 0;
}

static int close_pipe(void **state)
{
	(void)state;
	report_set_output(NULL, false);
	report_set_format(LOG_FORMAT_TEXT);
	unsetenv("JOURNAL_STREAM");
	line_writer_close(writer);
	close(reader);
	close(pipe_fd);
	return 0;
}

/* Returns what was written since the last call. */
static const char *read_seen(void)
{
	ssize_t length = read(reader, seen, sizeof(seen) - 1);

	seen[length > 0 ? length : 0] = '\0';
	return seen;
}

/* Returns the line without the time in front, which must be there. */
static const char *behind_time(const char *line)
{
	assert_true(strlen(line) > 25);
	assert_int_equal(line[10], 'T');
	assert_int_equal(line[23], 'Z');
	return line + 25;
}

static void a_line_of_text(void **state)
{
	(void)state;
	report(STICKY_LOG_WARN, "an_event", "slot=%d why=\"a \x1b[31m b\"", 3);
	assert_string_equal(behind_time(read_seen()), "warn  an_event slot=3 why=\"a ?[31m b\"\n");
	report(STICKY_LOG_INFO, "bare", "%s", "");
	assert_string_equal(behind_time(read_seen()), "info  bare\n");
	report(STICKY_LOG_DEBUG, "hidden", "%s", "");
	assert_string_equal(read_seen(), "");
}

static json_t *read_json(void)
{
	const char *line = read_seen();
	json_t *json = json_loads(line, 0, NULL);

	assert_non_null(json);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	return json;
}

static const char *text_at(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "(none)";
}

static void a_line_of_json(void **state)
{
	json_t *json;

	(void)state;
	report_set_format(LOG_FORMAT_JSON);
	report(STICKY_LOG_WARN, "an_event", "slot=%d why=\"a \x1b\xff b\" name=web", 3);
	json = read_json();
	assert_string_equal(text_at(json, "level"), "warn");
	assert_string_equal(text_at(json, "event"), "an_event");
	assert_string_equal(text_at(json, "why"), "a ?? b");
	assert_string_equal(text_at(json, "name"), "web");
	assert_int_equal(json_integer_value(json_object_get(json, "slot")), 3);
	assert_int_equal(strlen(text_at(json, "time")), 24);
	json_decref(json);
}

/*
 * Without a writer, a line that is longer than the pipe's room is cut off. A write that waits for
 * the reader would end this program by SIGALRM.
 */
static void a_long_line_does_not_wait_for_the_reader(void **state)
{
	char why[3 * PIPE_BUF];
	int saved = dup(STDERR_FILENO);
	json_t *fields;

	(void)state;
	memset(why, 'w', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	assert_true(fcntl(pipe_fd, F_SETPIPE_SZ, 2 * PIPE_BUF) >= 2 * PIPE_BUF);
	report_set_output(NULL, false);
	report_set_format(LOG_FORMAT_JSON);
	assert_true(dup2(pipe_fd, STDERR_FILENO) >= 0);
	fields = json_pack("{s:s}", "why", why);
	alarm(5);
	report_fields(STICKY_LOG_WARN, "an_event", fields, "");
	alarm(0);
	json_decref(fields);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	assert_int_equal(strlen(read_seen()), 2 * PIPE_BUF);
}

/* Fields that are known keep their types, and their line ends. */
static void known_fields_are_as_they_are(void **state)
{
	json_t *fields = json_pack("{s:s, s:b, s:s}", "lines", "a\nb", "ok", 1, "level", "none");
	json_t *json;

	(void)state;
	report_set_format(LOG_FORMAT_JSON);
	report_fields(STICKY_LOG_INFO, "an_event", fields, "not used");
	json = read_json();
	assert_string_equal(text_at(json, "lines"), "a\nb");
	assert_true(json_is_true(json_object_get(json, "ok")));
	assert_string_equal(text_at(json, "level"), "info"); /* the line's own */
	json_decref(json);
	json_decref(fields);
}

static void pretend_journal(int fd)
{
	struct stat status;
	char text[64];

	assert_int_equal(fstat(fd, &status), 0);
	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
}

static void the_journal_gets_priorities(void **state)
{
	static const char *const expected[STICKY_LOG_LEVEL_COUNT] = {
		[STICKY_LOG_ERROR] = "<3>error e\n",
		[STICKY_LOG_WARN] = "<4>warn  e\n",
		[STICKY_LOG_INFO] = "<6>info  e\n",
		[STICKY_LOG_DEBUG] = "<7>debug e\n",
	};
	int level;

	(void)state;
	pretend_journal(pipe_fd);
	report_set_output(writer, log_is_journal(pipe_fd));
	report_set_level(STICKY_LOG_DEBUG);
	for (level = 0; level < STICKY_LOG_LEVEL_COUNT; level++) {
		report((enum sticky_log_level)level, "e", "%s", "");
		assert_string_equal(read_seen(), expected[level]);
	}
	report_set_level(STICKY_LOG_INFO);
	report_set_format(LOG_FORMAT_JSON);
	report(STICKY_LOG_ERROR, "e", "%s", "");
	assert_memory_equal(read_seen(), "<3>{\"time\":", 11);
}

/* The variable is inherited by programs whose stderr leads elsewhere. */
static void another_file_gets_none(void **state)
{
	(void)state;
	pretend_journal(reader);
	setenv("JOURNAL_STREAM", "1:2", 1);
	report_set_output(writer, log_is_journal(pipe_fd));
	report(STICKY_LOG_INFO, "e", "%s", "");
	assert_string_equal(behind_time(read_seen()), "info  e\n");
	setenv("JOURNAL_STREAM", "nonsense", 1);
	assert_false(log_is_journal(pipe_fd));
}

#define THREADS	   4
#define PER_THREAD 2000

static void *log_much(void *context)
{
	int i;

	for (i = 0; i < PER_THREAD; i++)
		report(STICKY_LOG_INFO, "an_event", "thread=%d number=%d", (int)(intptr_t)context,
		       i);
	return NULL;
}

/* Returns the number of lines in a text; each is a whole one. */
static size_t count_whole_lines(char *text)
{
	size_t count = 0;
	char *line, *rest = text;

	for (; (line = strsep(&rest, "\n")) && rest; count++)
		assert_int_equal(strlen(behind_time(line)) > 20 &&
					 !strncmp(behind_time(line), "info  an_event thread=", 22),
				 1);
	assert_string_equal(line, "");
	return count;
}

/* Dispatchers log, too. What the pipe does not take at once waits for the loop. */
static void lines_of_threads_do_not_mix(void **state)
{
	static char text[THREADS * PER_THREAD * 128];
	pthread_t threads[THREADS];
	size_t length = 0;
	ssize_t part;
	intptr_t i;

	(void)state;
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_much, (void *)i), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	do {
		line_writer_flush(writer);
		part = read(reader, text + length, sizeof(text) - 1 - length);
		length += part > 0 ? (size_t)part : 0;
	} while (part > 0);
	assert_int_equal(count_whole_lines(text), THREADS * PER_THREAD);
	assert_int_equal(line_writer_losses(writer).lines, 0);
}

/* ---- Fields ----------------------------------------------------------------------- */

static void expect_fields(const char *text, const char *expected)
{
	json_t *fields = log_fields_parse(text);
	char *json = json_dumps(fields, JSON_COMPACT);

	assert_string_equal(json, expected);
	free(json);
	json_decref(fields);
}

static void fields_of_a_text(void **state)
{
	(void)state;
	expect_fields("", "{}");
	expect_fields("slot=1 pid=22", "{\"slot\":1,\"pid\":22}");
	expect_fields("a=-7 b=0 c=08 d=1.5 e=",
		      "{\"a\":-7,\"b\":0,\"c\":\"08\",\"d\":\"1.5\",\"e\":\"\"}");
	expect_fields("a=\"1\" b=\"x y=z\" c=-", "{\"a\":\"1\",\"b\":\"x y=z\",\"c\":\"-\"}");
	expect_fields("n=99999999999999999999", "{\"n\":\"99999999999999999999\"}");
}

static void a_text_of_another_form_is_a_message(void **state)
{
	(void)state;
	expect_fields("two words", "{\"message\":\"two words\"}");
	expect_fields("a=1 b", "{\"message\":\"a=1 b\"}");
	expect_fields("a=\"open", "{\"message\":\"a=\\\"open\"}");
	expect_fields("a=\"b\"c", "{\"message\":\"a=\\\"b\\\"c\"}");
	expect_fields("=1", "{\"message\":\"=1\"}");
}

/* ---- The file --------------------------------------------------------------------- */

static char directory[] = "/tmp/sticky-test-log-XXXXXX";
static char path[64], moved[64];

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/log", directory);
	snprintf(moved, sizeof(moved), "%s/log.1", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	unlink(moved);
	return rmdir(directory);
}

static int open_file(const char *name, struct log_output **ret_output, struct error_text *ret_error)
{
	const struct log_target target = {.file = name};

	return log_output_open(&target, ret_output, ret_error);
}

static size_t count_in(const char *name, const char *word)
{
	FILE *file = fopen(name, "r");
	size_t length = file ? fread(seen, 1, sizeof(seen) - 1, file) : 0, count = 0;
	const char *at = seen;

	if (file)
		fclose(file);
	seen[length] = '\0';
	for (; (at = strstr(at, word)); at++)
		count++;
	return count;
}

static void a_file_is_made_with_its_mode(void **state)
{
	struct error_text error;
	struct stat status;
	mode_t previous = umask(0);
	int fd = log_file_open(path, &error);

	(void)state;
	umask(previous);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
	close(fd);
	chmod(path, 0600); /* as somebody wants it */
	fd = log_file_open(path, &error);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	close(fd);
}

static void a_file_that_cannot_be_opened_is_explained(void **state)
{
	struct log_output *output = NULL;
	struct error_text error;

	(void)state;
	assert_int_equal(log_file_open("/nonexistent/log", &error), -ENOENT);
	assert_string_equal(error.text, "--log-file: cannot open /nonexistent/log: No such file or "
					"directory\nmake its directory first");
	assert_int_equal(open_file(directory, &output, &error), -EISDIR);
	assert_null(output);
}

/* A rotated log: what is written after the signal is in the new file. */
static void the_file_is_opened_again(void **state)
{
	struct log_output *output;
	struct error_text error;

	(void)state;
	assert_int_equal(open_file(path, &output, &error), 0);
	assert_true(log_output_is_file(output));
	assert_ptr_equal(log_output_writer(output, LOG_STDOUT),
			 log_output_writer(output, LOG_STDERR));
	report(STICKY_LOG_INFO, "first", "%s", "");
	assert_int_equal(rename(path, moved), 0);
	report(STICKY_LOG_INFO, "second", "%s", "");
	log_output_reopen(output);
	report(STICKY_LOG_INFO, "third", "%s", "");
	log_output_close(output);
	assert_int_equal(count_in(moved, "first") + count_in(moved, "second"), 2);
	assert_int_equal(count_in(path, "third"), 1);
	assert_int_equal(count_in(path, "second"), 0);
}

static void a_file_that_is_gone_stays_in_use(void **state)
{
	struct log_output *output;
	struct error_text error;

	(void)state;
	assert_int_equal(open_file(path, &output, &error), 0);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(mkdir(path, 0700), 0); /* in its place */
	log_output_reopen(output);
	report(STICKY_LOG_INFO, "fourth", "%s", "");
	log_output_close(output);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(count_in(moved, "log_file_kept"), 1);
	assert_int_equal(count_in(moved, "fourth"), 1);
}

/* ---- syslog ----------------------------------------------------------------------- */

/* Take the place of the daemon, whose queue is as long as that of the kernel's datagram sockets. */
static int open_daemon(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (const void *)&address, sizeof(address)), 0);
	return fd;
}

/* Returns the message without its time; "": there is none. */
static const char *next_message(int daemon, const char *priority)
{
	ssize_t length = recv(daemon, seen, sizeof(seen) - 1, 0);

	if (length <= 0)
		return "";
	seen[length] = '\0';
	assert_memory_equal(seen, priority, strlen(priority));
	return strstr(seen, "stickyctl[");
}

static struct log_output *open_syslog(void)
{
	const struct log_target target = {.syslog = path};
	struct log_output *syslog = NULL;
	struct error_text error;

	assert_int_equal(log_output_open(&target, &syslog, &error), 0);
	assert_true(log_output_takes_priority(syslog, LOG_STDERR));
	return syslog;
}

static void each_line_is_a_message_of_syslog(void **state)
{
	int daemon = open_daemon();
	struct log_output *syslog = open_syslog();
	const struct iovec line = {.iov_base = (char *)"[0] of a worker\n", .iov_len = 16};
	char expected[64];

	(void)state;
	report(STICKY_LOG_ERROR, "an_event", "slot=%d", 1);
	line_writer_add(log_output_writer(syslog, LOG_STDOUT), LINE_OUTPUT, &line, 1);
	line_writer_push(log_output_writer(syslog, LOG_STDOUT));
	snprintf(expected, sizeof(expected), "stickyctl[%d]: error an_event slot=1", getpid());
	assert_string_equal(next_message(daemon, "<27>"), expected);
	snprintf(expected, sizeof(expected), "stickyctl[%d]: [0] of a worker", getpid());
	assert_string_equal(next_message(daemon, "<30>"), expected);
	assert_string_equal(next_message(daemon, ""), "");
	log_output_close(syslog);
	close(daemon);
}

/* A daemon that does not read blocks nothing; what it does not take is kept. */
static void a_slow_daemon_gets_all_lines_later(void **state)
{
	int daemon = open_daemon(), i;
	struct log_output *syslog = open_syslog();
	const char *message;

	(void)state;
	for (i = 0; i < 2000; i++)
		report(STICKY_LOG_INFO, "an_event", "number=%d", i);
	for (i = 0; i < 2000; i++) {
		line_writer_flush(log_output_writer(syslog, LOG_STDERR));
		message = strstr(next_message(daemon, "<30>"), "number=");
		assert_non_null(message);
		assert_int_equal(strtol(message + strlen("number="), NULL, 10), i);
	}
	assert_int_equal(log_output_losses(syslog).lines, 0);
	log_output_close(syslog);
	close(daemon);
}

static void a_daemon_that_was_restarted_is_found(void **state)
{
	int daemon = open_daemon();
	struct log_output *syslog = open_syslog();

	(void)state;
	close(daemon);
	report(STICKY_LOG_INFO, "lost", "%s", "");
	assert_int_equal(log_output_losses(syslog).lines, 1);
	daemon = open_daemon();
	report(STICKY_LOG_INFO, "found", "%s", "");
	assert_non_null(strstr(next_message(daemon, "<30>"), "found"));
	log_output_close(syslog);
	close(daemon);
}

static void without_a_daemon_it_is_explained(void **state)
{
	const struct log_target target = {.syslog = "/nonexistent/log"};
	struct log_output *syslog = NULL;
	struct error_text error;

	(void)state;
	assert_int_equal(log_output_open(&target, &syslog, &error), -ENOENT);
	assert_non_null(
		strstr(error.text, "/nonexistent/log: No such file or directory\nstart it"));
}

#define LOG_TEST(function) cmocka_unit_test_setup_teardown(function, open_pipe, close_pipe)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(a_line_of_text),
		LOG_TEST(a_line_of_json),
		LOG_TEST(a_long_line_does_not_wait_for_the_reader),
		LOG_TEST(known_fields_are_as_they_are),
		LOG_TEST(the_journal_gets_priorities),
		LOG_TEST(another_file_gets_none),
		LOG_TEST(lines_of_threads_do_not_mix),
		cmocka_unit_test(fields_of_a_text),
		cmocka_unit_test(a_text_of_another_form_is_a_message),
		cmocka_unit_test(a_file_is_made_with_its_mode),
		cmocka_unit_test(a_file_that_cannot_be_opened_is_explained),
		cmocka_unit_test(the_file_is_opened_again),
		cmocka_unit_test(a_file_that_is_gone_stays_in_use),
		cmocka_unit_test(each_line_is_a_message_of_syslog),
		cmocka_unit_test(a_slow_daemon_gets_all_lines_later),
		cmocka_unit_test(a_daemon_that_was_restarted_is_found),
		cmocka_unit_test(without_a_daemon_it_is_explained),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
