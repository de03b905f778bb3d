// SPDX-License-Identifier: MIT
/* Node.js's IPC channel over a socket pair. The test acts as the worker. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/ipc.h"
#include "node/node_input.h"

#define TURNS_MAX 100000
#define MEGABYTE  (1u << 20)

struct scene {
	struct event_base *base;
	struct node_ipc *ipc;
	struct node_ipc_end end;
	int worker; /* the worker's end */
	unsigned int messages, ends, drains, too_long;
	char last[256]; /* the last message, as text */
	/* the channel is closed within the callback of this message; 0: it is not */
	unsigned int close_at;
	size_t last_length; /* length of the last string */
	unsigned int descriptors;
};

static unsigned int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void on_message(void *context, const struct node_message *message)
{
	struct scene *scene = context;

	scene->messages++;
	snprintf(scene->last, sizeof(scene->last), "%.*s", (int)message->length, message->bytes);
	scene->last_length = message->length;
	if (scene->close_at == scene->messages) {
		node_ipc_close(scene->ipc);
		scene->ipc = NULL;
	}
}

static void on_too_long(void *context)
{
	((struct scene *)context)->too_long++;
}

static void on_end(void *context)
{
	((struct scene *)context)->ends++;
}

static void on_drained(void *context)
{
	((struct scene *)context)->drains++;
}

static void open_ipc(struct scene *scene)
{
	const struct node_ipc_callbacks callbacks = {.message = on_message,
						     .too_long = on_too_long,
						     .end = on_end,
						     .drained = on_drained,
						     .context = scene};
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
			 0);
	scene->worker = ends[1];
	scene->end.fd = ends[0];
	assert_int_equal(node_ipc_open(scene->base, &scene->end, &callbacks, &scene->ipc), 0);
	assert_int_equal(node_ipc_fd(scene->ipc), ends[0]);
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene)
		return -1;
	scene->descriptors = count_descriptors();
	scene->base = event_base_new();
	open_ipc(scene);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	node_ipc_close(scene->ipc);
	close(scene->worker);
	event_base_free(scene->base);
	assert_int_equal(count_descriptors(), scene->descriptors);
	free(scene);
	return 0;
}

static void turn(struct scene *scene)
{
	event_base_loop(scene->base, EVLOOP_NONBLOCK);
}

/* Write all bytes. The event loop runs in between. */
static void write_bytes(struct scene *scene, const char *bytes, size_t length)
{
	unsigned int turns = 0;

	while (length) {
		ssize_t sent = send(scene->worker, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EPIPE)
			return;
		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		}
		turn(scene);
		assert_true(turns++ < TURNS_MAX);
	}
	turn(scene);
}

static void write_text(struct scene *scene, const char *text)
{
	write_bytes(scene, text, strlen(text));
}

/* ---- Receiving -------------------------------------------------------------------------- */

static void a_line_is_a_message(void **state)
{
	struct scene *scene = *state;

	write_text(scene, "{\"a\":1}\n");
	assert_int_equal(scene->messages, 1);
	assert_string_equal(scene->last, "{\"a\":1}");
	write_text(scene, "\"ready\"\nnull\n[1]\n");
	assert_int_equal(scene->messages, 4);
	assert_string_equal(scene->last, "[1]");
}

static void lines_come_in_pieces(void **state)
{
	static const char text[] = "{\"one\":\"\xc3\xa4\"}\n\"two\"\n";
	struct scene *scene = *state;
	size_t i;

	for (i = 0; i < sizeof(text) - 1; i++) {
		write_bytes(scene, text + i, 1);
		assert_int_equal(scene->messages, (i >= 12) + (i >= sizeof(text) - 2));
	}
}

static void check_huge(struct scene *scene, size_t length)
{
	char *text = malloc(length + 3);

	memset(text, 'x', length + 3);
	text[0] = text[length + 1] = '"';
	text[length + 2] = '\n';
	write_bytes(scene, text, length + 3);
	free(text);
}

static void huge_lines_are_messages(void **state)
{
	struct scene *scene = *state;

	check_huge(scene, 5 * MEGABYTE);
	assert_int_equal(scene->messages, 1);
	assert_int_equal(scene->last_length, 5 * MEGABYTE + 2);
	check_huge(scene, 15 * MEGABYTE);
	assert_int_equal(scene->messages, 2);
	write_text(scene, "1\n");
	assert_int_equal(scene->messages, 3);
}

/* A line that is too long is dropped and reported. The next line is read again. */
static void a_line_that_is_too_long_is_skipped(void **state)
{
	struct scene *scene = *state;

	check_huge(scene, 40 * MEGABYTE);
	assert_int_equal(scene->messages, 0);
	assert_int_equal(scene->too_long, 1);
	write_text(scene, "{\"whole\":1}\n");
	assert_int_equal(scene->messages, 1);
	assert_string_equal(scene->last, "{\"whole\":1}");
	check_huge(scene, NODE_MESSAGE_MAX - 2);
	assert_int_equal(scene->messages, 2);
	check_huge(scene, NODE_MESSAGE_MAX - 1);
	assert_int_equal(scene->messages, 2);
	assert_int_equal(scene->too_long, 2);
	check_huge(scene, 40 * MEGABYTE);
	write_text(scene, "2\n");
	assert_int_equal(scene->messages, 3);
	assert_int_equal(scene->too_long, 3);
	assert_int_equal(scene->ends, 0);
}

static void lines_are_sent_as_they_are(void **state)
{
	static const char text[] = "{ \"a\":\"x\\ud83d\", \"b\":1e19 }";
	const struct node_message message = {NODE_FORMAT_JSON, text, strlen(text)};
	struct scene *scene = *state;
	char got[64];

	assert_int_equal(node_ipc_pass(scene->ipc, &message), 0);
	assert_int_equal(recv(scene->worker, got, sizeof(got), 0), sizeof(text));
	assert_memory_equal(got, text, sizeof(text) - 1);
	assert_int_equal(got[sizeof(text) - 1], '\n');
}

/* ---- V8's format ------------------------------------------------------------------------- */

static int set_up_advanced(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene)
		return -1;
	scene->descriptors = count_descriptors();
	scene->base = event_base_new();
	scene->end.format = NODE_FORMAT_ADVANCED;
	open_ipc(scene);
	*state = scene;
	return 0;
}

static void advanced_messages_come(void **state)
{
	static const char bytes[] = "\0\0\0\5\xff\x0f\"\1a\0\0\0\3\xff\x0fT";
	struct scene *scene = *state;

	write_bytes(scene, bytes, sizeof(bytes) - 2);
	assert_int_equal(scene->messages, 1);
	assert_int_equal(scene->last_length, 5);
	write_bytes(scene, bytes + sizeof(bytes) - 2, 1);
	assert_int_equal(scene->messages, 2);
	assert_string_equal(scene->last, "\xff\x0fT");
}

static void advanced_messages_are_sent(void **state)
{
	static const char wanted[] = "\0\0\0\x06\xff\x0d\"\2hi"
				     "\0\0\0\5\xff\x0f\"\1a"
				     "\0\0\0\4\xff\x0dI\x02";
	const struct node_message as_it_is = {NODE_FORMAT_ADVANCED, "\xff\x0f\"\1a", 5};
	const struct node_message of_json = {NODE_FORMAT_JSON, "1", 1};
	const struct node_message bad = {NODE_FORMAT_JSON, "{", 1};
	struct scene *scene = *state;
	char got[64];

	assert_int_equal(node_ipc_send(scene->ipc, json_string("hi"), -1), 0);
	assert_int_equal(node_ipc_pass(scene->ipc, &as_it_is), 0);
	assert_int_equal(node_ipc_pass(scene->ipc, &of_json), 0);
	assert_int_equal(node_ipc_pass(scene->ipc, &bad), -EBADMSG);
	assert_int_equal(recv(scene->worker, got, sizeof(got), 0), sizeof(wanted) - 1);
	assert_memory_equal(got, wanted, sizeof(wanted) - 1);
}

static void its_descriptors_are_closed(void **state)
{
	struct scene *scene = *state;
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(20 * sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = (char[]){"1\n"}, .iov_len = 2};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *passed = CMSG_FIRSTHDR(&header);
	unsigned int before = count_descriptors();
	int i;

	passed->cmsg_level = SOL_SOCKET;
	passed->cmsg_type = SCM_RIGHTS;
	passed->cmsg_len = CMSG_LEN(20 * sizeof(int));
	for (i = 0; i < 20; i++)
		memcpy(CMSG_DATA(passed) + (size_t)i * sizeof(int), &scene->worker, sizeof(int));
	assert_int_equal(sendmsg(scene->worker, &header, 0), 2);
	turn(scene);
	assert_int_equal(scene->messages, 1);
	assert_int_equal(count_descriptors(), before);
}

static void the_end_is_told_once(void **state)
{
	struct scene *scene = *state;

	write_text(scene, "1\n\"half");
	shutdown(scene->worker, SHUT_RDWR);
	turn(scene);
	turn(scene);
	assert_int_equal(scene->messages, 1);
	assert_int_equal(scene->ends, 1);
	assert_int_equal(node_ipc_send(scene->ipc, json_true(), -1), -EPIPE);
}

static void what_was_said_before_the_end_counts(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(send(scene->worker, "1\n2\n", 4, 0), 4);
	close(scene->worker);
	scene->worker = open("/dev/null", O_RDONLY);
	turn(scene);
	assert_int_equal(scene->messages, 2);
	assert_int_equal(scene->ends, 1);
}

static void it_can_be_closed_within_a_message(void **state)
{
	struct scene *scene = *state;

	scene->close_at = 2;
	write_text(scene, "1\n2\n3\n4\n");
	turn(scene);
	assert_int_equal(scene->messages, 2);
	assert_int_equal(scene->ends, 0);
}

/* ---- Sending ----------------------------------------------------------------------------- */

static size_t receive(int fd, char *bytes, size_t size, int *ret_passed)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec part = {.iov_base = bytes, .iov_len = size};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *passed;
	ssize_t length = recvmsg(fd, &header, 0);

	*ret_passed = -1;
	if (length < 0)
		return 0;
	passed = CMSG_FIRSTHDR(&header);
	if (passed)
		memcpy(ret_passed, CMSG_DATA(passed), sizeof(int));
	return (size_t)length;
}

static bool is_same_file(int a, int b)
{
	struct stat one, other;

	assert_int_equal(fstat(a, &one), 0);
	assert_int_equal(fstat(b, &other), 0);
	return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/*
 * The descriptor may be read together with bytes before its line, but never with bytes behind it.
 */
static void a_descriptor_rides_on_its_own_line(void **state)
{
	static const char begin[] = "\"before\"\n\"with\"\n";
	struct scene *scene = *state;
	char bytes[100];
	int fd = open("/dev/null", O_RDONLY), passed = -1;
	size_t length = 0;

	assert_int_equal(node_ipc_send(scene->ipc, json_string("before"), -1), 0);
	assert_int_equal(node_ipc_send(scene->ipc, json_string("with"), fd), 0);
	assert_int_equal(node_ipc_send(scene->ipc, json_string("behind"), -1), 0);
	assert_false(node_ipc_is_busy(scene->ipc));
	while (passed < 0)
		length += receive(scene->worker, bytes + length, sizeof(bytes) - length, &passed);
	assert_int_equal(length, strlen(begin));
	assert_memory_equal(bytes, begin, length);
	assert_true(is_same_file(passed, fd));
	close(passed);
	close(fd);
	length = receive(scene->worker, bytes, sizeof(bytes), &passed);
	assert_int_equal(passed, -1);
	assert_int_equal(length, 9);
	assert_memory_equal(bytes, "\"behind\"\n", length);
}

#define MANY 3000

/*
 * The worker does not read. Messages wait, whole and in order, and the callback is called when they
 * have been sent.
 */
static void a_full_buffer_is_waited_for(void **state)
{
	struct scene *scene = *state;
	char filler[1000], *bytes = malloc(MANY * 1200u), *at;
	unsigned int before = count_descriptors(), passed_count = 0, turns = 0;
	size_t length = 0;
	int i;

	memset(filler, 'x', sizeof(filler) - 1);
	filler[sizeof(filler) - 1] = '\0';
	for (i = 0; i < MANY; i++)
		assert_int_equal(node_ipc_send(scene->ipc,
					       json_pack("{s:i, s:s}", "number", i, "text", filler),
					       i % 100 == 0 ? scene->worker : -1),
				 0);
	assert_true(node_ipc_is_busy(scene->ipc));
	turn(scene);
	assert_int_equal(scene->drains, 0);
	while (!scene->drains || turns < 10) {
		size_t got;
		int passed;

		while ((got = receive(scene->worker, bytes + length, 65536, &passed))) {
			length += got;
			assert_true(length < MANY * 1200u - 65536);
			if (passed < 0)
				continue;
			passed_count++;
			close(passed);
		}
		turn(scene);
		turns = scene->drains ? turns + 1 : 0;
	}
	assert_false(node_ipc_is_busy(scene->ipc));
	assert_int_equal(scene->drains, 1);
	assert_int_equal(passed_count, MANY / 100);
	assert_int_equal(count_descriptors(), before);
	at = bytes;
	bytes[length] = '\0';
	for (i = 0; i < MANY; i++) {
		char wanted[40];

		snprintf(wanted, sizeof(wanted), "{\"number\":%d,", i);
		assert_memory_equal(at, wanted, strlen(wanted));
		at = strchr(at, '\n');
		assert_non_null(at);
		at++;
	}
	assert_ptr_equal(at, bytes + length);
	free(bytes);
}

static void too_much_is_refused(void **state)
{
	struct scene *scene = *state;
	char *text = malloc(MEGABYTE);
	int count = 0, error;

	memset(text, 'x', MEGABYTE - 1);
	text[MEGABYTE - 1] = '\0';
	while (!(error = node_ipc_send(scene->ipc, json_string(text), -1)))
		assert_true(count++ < 100);
	assert_int_equal(error, -ENOBUFS);
	assert_true(count > 16);
	free(text);
}

static void it_can_be_closed_while_something_waits(void **state)
{
	struct scene *scene = *state;
	int i;

	for (i = 0; i < 5000; i++)
		node_ipc_send(scene->ipc, json_string("a message that nobody reads"),
			      i % 50 ? -1 : scene->worker);
	assert_true(node_ipc_is_busy(scene->ipc));
	node_ipc_close(scene->ipc);
	scene->ipc = NULL;
	node_ipc_close(NULL);
}

static void a_descriptor_that_is_none_is_an_error(void **state)
{
	struct scene *scene = *state;
	int fd = dup(scene->worker);

	close(fd);
	assert_int_equal(node_ipc_send(scene->ipc, json_string("with"), fd), -EMFILE);
	assert_int_equal(node_ipc_send(scene->ipc, json_string("goes on"), -1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_is_a_message),
		TEST(lines_come_in_pieces),
		TEST(huge_lines_are_messages),
		TEST(a_line_that_is_too_long_is_skipped),
		TEST(lines_are_sent_as_they_are),
		cmocka_unit_test_setup_teardown(advanced_messages_come, set_up_advanced, tear_down),
		cmocka_unit_test_setup_teardown(advanced_messages_are_sent, set_up_advanced,
						tear_down),
		TEST(its_descriptors_are_closed),
		TEST(the_end_is_told_once),
		TEST(what_was_said_before_the_end_counts),
		TEST(it_can_be_closed_within_a_message),
		TEST(a_descriptor_rides_on_its_own_line),
		TEST(a_full_buffer_is_waited_for),
		TEST(too_much_is_refused),
		TEST(it_can_be_closed_while_something_waits),
		TEST(a_descriptor_that_is_none_is_an_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
