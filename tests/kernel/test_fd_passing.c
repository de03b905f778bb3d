// SPDX-License-Identifier: MIT
/*
 * Descriptors that a worker sends unasked. The controller closes them at once, whatever options the
 * worker has set on them. close() of a TCP socket with SO_LINGER waits until its data are sent,
 * also if the socket is non-blocking.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "node/ipc.h"
#include "process/notify.h"
#include "wire/channel.h"
#include "wire/fd_passing.h"
#include "../support/netns.h"

#define LINGER_S 5
#define SOON_MS	 2500
#define MANY	 20 /* more descriptors than fit into a small buffer for control data */

static int listener, peers[MANY], peer_count;
static struct event_base *base;

/* Open a connection with SO_LINGER whose peer does not read, and send as much as fits. */
static int lingering(void)
{
	static const struct linger on = {.l_onoff = 1, .l_linger = LINGER_S};
	static const char bytes[65536];
	struct sockaddr_in address = {0};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int size = 4096;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	assert_int_equal(getsockname(listener, (void *)&address, &length), 0);
	connect(fd, (void *)&address, length);
	peers[peer_count++] = accept(listener, NULL, NULL);
	while (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
		;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &on, sizeof(on)), 0);
	return fd;
}

static void send_with(int to, const void *bytes, size_t size, int count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(MANY * sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
	struct cmsghdr *passed = CMSG_FIRSTHDR(&header);
	int fds[MANY], i;

	for (i = 0; i < count; i++)
		fds[i] = lingering();
	passed->cmsg_level = SOL_SOCKET;
	passed->cmsg_type = SCM_RIGHTS;
	passed->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	memcpy(CMSG_DATA(passed), fds, (size_t)count * sizeof(int));
	assert_int_equal(sendmsg(to, &header, 0), size);
	for (i = 0; i < count; i++)
		close(fds[i]);
}

/* Handle all events that are due. Returns how long that took, in ms. */
static uint64_t turn(void)
{
	uint64_t begun = clock_ms();

	event_base_loop(base, EVLOOP_NONBLOCK);
	return clock_ms() - begun;
}

static int set_up(void **state)
{
	int size = 4096;

	(void)state;
	base = event_base_new();
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	peer_count = 0;
	return !base || listen(listener, MANY);
}

static int tear_down(void **state)
{
	(void)state;
	while (peer_count)
		close(peers[--peer_count]);
	close(listener);
	event_base_free(base);
	return 0;
}

/* Show that a plain close() waits. Otherwise the tests below would show nothing. */
static void close_waits(void **state)
{
	uint64_t begun;
	int fd = lingering();

	(void)state;
	begun = clock_ms();
	close(fd);
	assert_true(clock_ms() - begun > SOON_MS);
}

static void discard_does_not_wait(void **state)
{
	uint64_t begun;
	int fd = lingering();

	(void)state;
	begun = clock_ms();
	fd_passing_discard(fd);
	assert_true(clock_ms() - begun < SOON_MS);
}

static void on_message(void *context, const struct node_message *message)
{
	(void)message;
	(*(int *)context)++;
}

static void on_event(void *context)
{
	(void)context;
}

static void node_channel(void **state)
{
	int ends[2], messages = 0;
	const struct node_ipc_callbacks callbacks = {.message = on_message,
						     .too_long = on_event,
						     .end = on_event,
						     .drained = on_event,
						     .context = &messages};
	struct node_ipc_end end = {.format = NODE_FORMAT_JSON};
	struct node_ipc *ipc;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	end.fd = ends[0];
	assert_int_equal(node_ipc_open(base, &end, &callbacks, &ipc), 0);
	send_with(ends[1], "1\n", 2, MANY);
	assert_true(turn() < SOON_MS);
	assert_int_equal(messages, 1);
	node_ipc_close(ipc);
	close(ends[1]);
}

static void on_notify(void *context, pid_t sender, const struct notify_message *message)
{
	assert_int_equal(sender, getpid());
	*(int *)context += message->ready;
}

static void notify_socket(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), messages = 0;
	struct notify *notify;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/test_fd_passing-%d", getpid());
	assert_int_equal(
		notify_open(base, address.sun_path, geteuid(), on_notify, &messages, &notify), 0);
	assert_int_equal(connect(sender, (void *)&address, sizeof(address)), 0);
	send_with(sender, "READY=1", 7, MANY);
	assert_true(turn() < SOON_MS);
	assert_int_equal(messages, 1);
	notify_close(notify);
	unlink(address.sun_path);
	close(sender);
}

static void connection_channel(void **state)
{
	struct channel_message message = {.version = CHANNEL_VERSION + 1};
	uint64_t begun;
	int ends[2], fd = -1;

	(void)state;
	assert_int_equal(channel_pair(ends), 0);
	send_with(ends[1], &message, sizeof(message), 1);
	begun = clock_ms();
	assert_true(channel_receive(ends[0], &message, &fd) < 0);
	assert_true(clock_ms() - begun < SOON_MS);
	close(ends[0]);
	close(ends[1]);
}

#define PASSING_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PASSING_TEST(close_waits),	  PASSING_TEST(discard_does_not_wait),
		PASSING_TEST(node_channel),	  PASSING_TEST(notify_socket),
		PASSING_TEST(connection_channel),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
