// SPDX-License-Identifier: MIT
/*
 * The channel: which messages arrive whole, which are refused, and that no descriptor is left open.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/channel.h"
#include "../support/clients.h"
#include "../support/descriptors.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* a channel must have room for this many messages; an endpoint never has as many on the way */
#define MUST_FIT 128

struct scene {
	int ends[2];
	uint32_t before; /* descriptors */
};

static struct scene begin(void)
{
	struct scene scene = {.before = descriptors_count()};

	assert_int_equal(channel_pair(scene.ends), 0);
	return scene;
}

static void end(struct scene *scene)
{
	close_all(scene->ends, 2);
	assert_int_equal(descriptors_count(), scene->before);
}

static struct channel_message message_of(enum channel_kind kind, uint32_t id)
{
	struct channel_message message = {
		.version = CHANNEL_VERSION, .kind = (uint16_t)kind, .id = id};

	return message;
}

/* Receive a message, and check the result. Returns the descriptor that came with it. */
static int receive(int channel, int expected)
{
	struct channel_message message;
	int fd = -1;

	assert_int_equal(channel_receive(channel, &message, &fd), expected);
	return fd;
}

static bool is_same_file(int a, int b)
{
	struct stat one, other;

	return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

static int open_null(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* ---- Valid messages -------------------------------------------------------------------- */

static void both_ends_never_block_and_end_with_exec(void **state)
{
	struct scene scene = begin();
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		assert_true(fcntl(scene.ends[i], F_GETFL) & O_NONBLOCK);
		assert_int_equal(fcntl(scene.ends[i], F_GETFD), FD_CLOEXEC);
		receive(scene.ends[i], -EAGAIN);
	}
	end(&scene);
}

static void every_kind_comes_through_in_both_directions(void **state)
{
	struct scene scene = begin();
	int from, fd;
	uint32_t kind;

	(void)state;
	for (from = 0; from < 2; from++)
		for (kind = CHANNEL_HELLO; kind < CHANNEL_KIND_END; kind++) {
			struct channel_message sent = message_of(kind, 0xfffffff0 + kind), got;

			sent.source = CHANNEL_FROM_PROXY;
			memset(&got, 0xff, sizeof(got));
			fd = 12345;
			assert_int_equal(channel_send(scene.ends[from], &sent, -1), 0);
			assert_int_equal(channel_receive(scene.ends[!from], &got, &fd), 1);
			assert_memory_equal(&got, &sent, sizeof(sent));
			assert_int_equal(fd, -1);
		}
	end(&scene);
}

static void a_descriptor_comes_through_and_the_own_one_stays(void **state)
{
	struct scene scene = begin();
	struct channel_message sent = message_of(CHANNEL_CONNECTION, 7), got;
	int file, fd;

	(void)state;
	file = open_null();
	assert_int_equal(channel_send(scene.ends[0], &sent, file), 0);
	assert_true(fcntl(file, F_GETFD) >= 0);
	assert_int_equal(channel_receive(scene.ends[1], &got, &fd), 1);
	assert_int_equal(got.id, 7);
	assert_true(fd >= 0 && fd != file);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(is_same_file(fd, file));
	close(fd);
	close(file);
	end(&scene);
}

static void messages_keep_their_order_and_their_descriptors(void **state)
{
	struct scene scene = begin();
	struct channel_message got;
	uint32_t id;
	int file, fd;

	(void)state;
	file = open_null();
	for (id = 0; id < MUST_FIT; id++) {
		struct channel_message sent = message_of(CHANNEL_CONNECTION, id);

		assert_int_equal(channel_send(scene.ends[0], &sent, id % 2 ? file : -1), 0);
	}
	for (id = 0; id < MUST_FIT; id++) {
		assert_int_equal(channel_receive(scene.ends[1], &got, &fd), 1);
		assert_int_equal(got.id, id);
		assert_int_equal(fd >= 0, id % 2);
		if (fd >= 0)
			close(fd);
	}
	receive(scene.ends[1], -EAGAIN);
	close(file);
	end(&scene);
}

static void a_client_is_a_v4_or_v6_address_or_nobody(void **state)
{
	struct sockaddr_storage v4 = address_of("203.0.113.9", 4711);
	struct sockaddr_storage v6 = address_of("2001:db8::9", 4712);
	struct sockaddr_un other = {.sun_family = AF_UNIX, .sun_path = "/nobody"};
	struct channel_message message = message_of(CHANNEL_CONNECTION, 1);
	static const union channel_address nobody;

	(void)state;
	channel_set_client(&message, (void *)&v6);
	assert_memory_equal(&message.client.v6, &v6, sizeof(struct sockaddr_in6));
	/* The buffer is as long as an IPv6 address, and the rest of it is cleared. */
	channel_set_client(&message, (void *)&v4);
	assert_memory_equal(&message.client, &v4, sizeof(message.client));
	channel_set_client(&message, (void *)&other);
	assert_memory_equal(&message.client, &nobody, sizeof(nobody));
	assert_int_equal(message.id, 1);
}

/* ---- Invalid messages -------------------------------------------------------------------- */

/* Send any bytes and descriptors, as a faulty peer may do. */
static void send_raw(int channel, const void *bytes, size_t length, const int *fds, size_t count)
{
	struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
	union {
		struct cmsghdr aligned;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control = {0};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *passed;

	assert_true(count <= 8);
	if (count) {
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		passed = CMSG_FIRSTHDR(&header);
		passed->cmsg_level = SOL_SOCKET;
		passed->cmsg_type = SCM_RIGHTS;
		passed->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(passed), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(channel, &header, MSG_NOSIGNAL), length);
}

/*
 * Check that the bytes are refused with and without a descriptor, that no descriptor is left, and
 * that the next message arrives.
 */
static void check_refused(const void *bytes, size_t length)
{
	struct scene scene = begin();
	struct channel_message good = message_of(CHANNEL_HELLO, 0);
	int file;

	file = open_null();
	send_raw(scene.ends[0], bytes, length, &file, 1);
	send_raw(scene.ends[0], bytes, length, NULL, 0);
	send_raw(scene.ends[0], &good, sizeof(good), NULL, 0);
	close(file);
	assert_int_equal(receive(scene.ends[1], -EPROTO), -1);
	assert_int_equal(receive(scene.ends[1], -EPROTO), -1);
	assert_int_equal(receive(scene.ends[1], 1), -1);
	end(&scene);
}

static void other_versions_are_refused(void **state)
{
	static const uint16_t versions[] = {0, CHANNEL_VERSION + 1, UINT16_MAX};
	struct channel_message message = message_of(CHANNEL_CONNECTION, 1);
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(versions); i++) {
		message.version = versions[i];
		check_refused(&message, sizeof(message));
	}
}

static void other_kinds_are_refused(void **state)
{
	static const uint16_t kinds[] = {0, CHANNEL_KIND_END, CHANNEL_KIND_END + 1, UINT16_MAX};
	struct channel_message message = message_of(CHANNEL_CONNECTION, 1);
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(kinds); i++) {
		message.kind = kinds[i];
		check_refused(&message, sizeof(message));
	}
}

static void other_lengths_are_refused(void **state)
{
	struct {
		struct channel_message message;
		char more[4096];
	} long_one = {.message = message_of(CHANNEL_CONNECTION, 1)};
	size_t length;

	(void)state;
	for (length = 1; length < sizeof(struct channel_message); length++)
		check_refused(&long_one, length);
	check_refused(&long_one, sizeof(struct channel_message) + 1);
	check_refused(&long_one, sizeof(long_one));
}

/*
 * An empty datagram is not a message, and looks like the end of the channel. The descriptor that
 * came with it must be closed.
 */
static void an_empty_message_leaves_no_descriptor(void **state)
{
	struct scene scene = begin();
	struct channel_message message;
	int file, fd = -1;

	(void)state;
	file = open_null();
	send_raw(scene.ends[0], "", 0, &file, 1);
	close(file);
	assert_true(channel_receive(scene.ends[1], &message, &fd) <= 0);
	assert_int_equal(fd, -1);
	end(&scene);
}

/*
 * A buffer for one descriptor has room for two, as CMSG_SPACE() rounds up. The second one must be
 * closed, too.
 */
static void more_descriptors_than_one_leave_none(void **state)
{
	struct channel_message message = message_of(CHANNEL_CONNECTION, 1);
	int files[8];
	size_t count;

	(void)state;
	for (count = 2; count <= COUNT(files); count++) {
		struct scene scene = begin();
		int fd = -1;
		size_t i;

		for (i = 0; i < count; i++)
			files[i] = open_null();
		send_raw(scene.ends[0], &message, sizeof(message), files, count);
		close_all(files, count);
		if (channel_receive(scene.ends[1], &message, &fd) == 1 && fd >= 0)
			close(fd);
		end(&scene);
	}
}

/* ---- Without room ------------------------------------------------------------------------- */

static void a_descriptor_too_many_is_said_to_whose_it_was(void **state)
{
	struct scene scene = begin();
	struct channel_message got, sent = message_of(CHANNEL_CONNECTION, 41);
	int file, fd = -1;

	(void)state;
	file = open_null();
	assert_int_equal(channel_send(scene.ends[0], &sent, file), 0);
	sent.id = 42;
	assert_int_equal(channel_send(scene.ends[0], &sent, file), 0);
	descriptors_limit(0);
	assert_int_equal(channel_receive(scene.ends[1], &got, &fd), -EMFILE);
	descriptors_unlimit();
	assert_int_equal(got.id, 41);
	assert_int_equal(fd, -1);
	assert_int_equal(channel_receive(scene.ends[1], &got, &fd), 1);
	assert_int_equal(got.id, 42);
	close(fd);
	close(file);
	end(&scene);
}

static void a_full_channel_says_so_and_can_be_used_again(void **state)
{
	struct scene scene = begin();
	struct channel_message got, sent = message_of(CHANNEL_CONNECTION, 0);
	uint32_t count = 0, id;
	int file, fd, error;

	(void)state;
	file = open_null();
	while ((error = channel_send(scene.ends[0], &sent, file)) == 0)
		sent.id = ++count;
	assert_int_equal(error, -EAGAIN);
	assert_true(count > MUST_FIT);
	for (id = 0; id < count; id++) {
		assert_int_equal(channel_receive(scene.ends[1], &got, &fd), 1);
		assert_int_equal(got.id, id);
		close(fd);
	}
	assert_int_equal(channel_send(scene.ends[0], &sent, file), 0);
	close(file);
	end(&scene);
}

/* The other direction has a buffer of its own: a worker can always send its reports. */
static void a_full_channel_has_room_for_answers(void **state)
{
	struct scene scene = begin();
	struct channel_message sent = message_of(CHANNEL_CONNECTION, 0);
	uint32_t i;

	(void)state;
	while (channel_send(scene.ends[0], &sent, -1) == 0)
		;
	sent.kind = CHANNEL_ACCEPTED;
	for (i = 0; i < MUST_FIT; i++)
		assert_int_equal(channel_send(scene.ends[1], &sent, -1), 0);
	end(&scene);
}

static void the_other_end_is_gone(void **state)
{
	struct scene scene = begin();
	struct channel_message sent = message_of(CHANNEL_HELLO, 0);

	(void)state;
	assert_int_equal(channel_send(scene.ends[0], &sent, -1), 0);
	close_all(&scene.ends[0], 1);
	/*
	 * The last message of the other end is read before its end is reported. No process gets a
	 * SIGPIPE.
	 */
	receive(scene.ends[1], 1);
	receive(scene.ends[1], 0);
	receive(scene.ends[1], 0);
	assert_int_equal(channel_send(scene.ends[1], &sent, -1), -EPIPE);
	end(&scene);
}

static void what_nobody_received_is_closed_with_the_channel(void **state)
{
	struct scene scene = begin();
	struct channel_message sent = message_of(CHANNEL_CONNECTION, 0);
	int pair[2];
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(channel_send(scene.ends[0], &sent, pair[0]), 0);
	close(pair[0]);
	close_all(scene.ends, 2);
	assert_int_equal(recv(pair[1], &byte, 1, 0), 0);
	close(pair[1]);
	end(&scene);
}

static void what_is_no_channel_is_refused(void **state)
{
	struct channel_message message = message_of(CHANNEL_HELLO, 0);
	int file = open_null(), fd = -1;

	(void)state;
	assert_int_equal(channel_send(file, &message, -1), -ENOTSOCK);
	assert_int_equal(channel_receive(file, &message, &fd), -ENOTSOCK);
	close(file);
	assert_int_equal(channel_send(-1, &message, -1), -EBADF);
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_never_block_and_end_with_exec),
		cmocka_unit_test(every_kind_comes_through_in_both_directions),
		cmocka_unit_test(a_descriptor_comes_through_and_the_own_one_stays),
		cmocka_unit_test(messages_keep_their_order_and_their_descriptors),
		cmocka_unit_test(a_client_is_a_v4_or_v6_address_or_nobody),
		cmocka_unit_test(other_versions_are_refused),
		cmocka_unit_test(other_kinds_are_refused),
		cmocka_unit_test(other_lengths_are_refused),
		cmocka_unit_test(an_empty_message_leaves_no_descriptor),
		cmocka_unit_test(more_descriptors_than_one_leave_none),
		cmocka_unit_test(a_descriptor_too_many_is_said_to_whose_it_was),
		cmocka_unit_test(a_full_channel_says_so_and_can_be_used_again),
		cmocka_unit_test(a_full_channel_has_room_for_answers),
		cmocka_unit_test(the_other_end_is_gone),
		cmocka_unit_test(what_nobody_received_is_closed_with_the_channel),
		cmocka_unit_test(what_is_no_channel_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
