// SPDX-License-Identifier: MIT
/* A worker behind a channel: its messages are handled, and none of them does harm. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handoff/channel_endpoint.h"
#include "handoff/exits.h"
#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "sticky.h"

#define CLIENTS	   400
#define ON_THE_WAY 128 /* limit of connections on the way in one channel */

struct scene {
	uint32_t before; /* descriptors */
	struct event_base *base;
	struct sticky_group *group;
	struct delivery_counters counters;
	struct exit_counters exits;
	struct delivery *delivery;
	struct channel_endpoint *endpoint;
	int channel; /* the worker's end */
	uint32_t hellos;
	uint32_t count;
	int clients[CLIENTS];
};

static void on_hello(void *context)
{
	((struct scene *)context)->hellos++;
}

static void open_outlet(struct scene *scene)
{
	int ends[2];

	assert_int_equal(channel_pair(ends), 0);
	assert_int_equal(channel_endpoint_open(scene->delivery, scene->base, 0, ends[0], on_hello,
					       NULL, scene, &scene->endpoint),
			 0);
	scene->channel = ends[1];
}

static void begin(struct scene *scene)
{
	struct delivery_limits limits = {
		.retries = 1, .delay_ms = 60000, .max_held = CLIENTS, .answer = DOWN_ANSWER_CLOSE};
	struct sticky_group_options options = group_options(1);
	struct delivery_options delivery;

	memset(scene, 0, sizeof(*scene));
	scene->before = descriptors_count();
	options.engine = STICKY_ENGINE_USER;
	assert_int_equal(sticky_group_open(&options, &scene->group), 0);
	scene->base = event_base_new();
	delivery = (struct delivery_options){.base = scene->base,
					     .group = scene->group,
					     .counters = &scene->counters,
					     .exits = &scene->exits};
	assert_int_equal(delivery_open(&delivery, &limits, &scene->delivery), 0);
	open_outlet(scene);
	worker_endpoint_take_slot(channel_endpoint_worker(scene->endpoint));
}

static void turn(struct scene *scene)
{
	event_base_loop(scene->base, EVLOOP_NONBLOCK);
}

static void end(struct scene *scene)
{
	channel_endpoint_close(scene->endpoint);
	delivery_close(scene->delivery);
	close_all(&scene->channel, 1);
	close_all(scene->clients, scene->count);
	event_base_free(scene->base);
	sticky_group_close(scene->group);
	assert_int_equal(descriptors_count(), scene->before);
}

static void submit(struct scene *scene, uint32_t count)
{
	struct sockaddr_storage client = client_address(AF_INET, 1);
	int pair[2];

	for (; count > 0; count--) {
		struct delivery_item item = {.source = CHANNEL_FROM_PROXY};

		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			0);
		memcpy(&item.client.v4, &client, sizeof(item.client.v4));
		item.client.v4.sin_port = htons((uint16_t)scene->count);
		item.fd = pair[0];
		scene->clients[scene->count++] = pair[1];
		assert_int_equal(delivery_submit(scene->delivery, &item), 0);
	}
	turn(scene);
}

/* Let the worker read one message and answer it. */
static uint32_t take(struct scene *scene, uint32_t place)
{
	struct channel_message message;
	int fd;

	assert_int_equal(channel_receive(scene->channel, &message, &fd), 1);
	assert_int_equal(message.kind, CHANNEL_CONNECTION);
	assert_int_equal(message.source, CHANNEL_FROM_PROXY);
	assert_int_equal(ntohs(message.client.v4.sin_port), place);
	assert_true(fd >= 0);
	assert_int_equal(number_send(fd, place), 0);
	close(fd);
	return message.id;
}

static void say(struct scene *scene, enum channel_kind kind, uint32_t id)
{
	struct channel_message message = {
		.version = CHANNEL_VERSION, .kind = (uint16_t)kind, .id = id};

	assert_int_equal(channel_send(scene->channel, &message, -1), 0);
}

static uint32_t on_the_way(const struct scene *scene)
{
	return worker_endpoint_on_the_way(channel_endpoint_worker(scene->endpoint));
}

static void a_hello_is_told_once(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	turn(&scene);
	assert_false(channel_endpoint_speaks(scene.endpoint));
	say(&scene, CHANNEL_HELLO, 0);
	say(&scene, CHANNEL_HELLO, 0);
	channel_endpoint_hear(scene.endpoint);
	assert_true(channel_endpoint_speaks(scene.endpoint));
	assert_int_equal(scene.hellos, 1);
	turn(&scene);
	assert_int_equal(scene.hellos, 1);
	end(&scene);
}

static void one_that_had_spoken_before_is_not_told_again(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	channel_endpoint_set_speaks(scene.endpoint);
	say(&scene, CHANNEL_HELLO, 0);
	turn(&scene);
	assert_int_equal(scene.hellos, 0);
	end(&scene);
}

static void connections_come_to_the_worker_with_who_they_are(void **state)
{
	struct scene scene;
	uint32_t i, number;

	(void)state;
	begin(&scene);
	submit(&scene, 10);
	for (i = 0; i < 10; i++) {
		say(&scene, CHANNEL_ACCEPTED, take(&scene, i));
		assert_int_equal(number_receive(scene.clients[i], &number), 0);
		assert_int_equal(number, i);
	}
	assert_int_equal(on_the_way(&scene), 10);
	turn(&scene);
	assert_int_equal(on_the_way(&scene), 0);
	assert_int_equal(scene.counters.handed, 10);
	end(&scene);
}

static void a_worker_that_hangs_strands_only_so_many(void **state)
{
	struct scene scene;
	uint32_t i;

	(void)state;
	begin(&scene);
	submit(&scene, 300);
	assert_int_equal(on_the_way(&scene), ON_THE_WAY);
	assert_int_equal(delivery_waiting(scene.delivery), 300 - ON_THE_WAY);
	for (i = 0; i < 300; i++) {
		say(&scene, CHANNEL_ACCEPTED, take(&scene, i));
		turn(&scene);
	}
	assert_int_equal(scene.counters.handed, 300);
	end(&scene);
}

static bool is_sent_again(void *context)
{
	struct scene *scene = context;

	turn(scene);
	return on_the_way(scene) > 0;
}

static void a_full_channel_is_sent_to_once_it_is_not(void **state)
{
	struct scene scene;
	struct channel_message message = {.version = CHANNEL_VERSION, .kind = CHANNEL_REFUSED};
	int fd;

	(void)state;
	begin(&scene);
	/* Messages that the worker ignores fill the channel. */
	while (channel_send(channel_endpoint_fd(scene.endpoint), &message, -1) == 0)
		;
	submit(&scene, 3);
	assert_int_equal(on_the_way(&scene), 0);
	assert_int_equal(delivery_waiting(scene.delivery), 3);
	do
		assert_int_equal(channel_receive(scene.channel, &message, &fd), 1);
	while (!nothing_waits(scene.channel));
	assert_int_equal(wait_until(is_sent_again, &scene), 0);
	assert_int_equal(on_the_way(&scene), 3);
	take(&scene, 0);
	take(&scene, 1);
	take(&scene, 2);
	end(&scene);
}

/* ---- The worker's end ------------------------------------------------------------------------ */

static void its_last_words_are_heard(void **state)
{
	struct scene scene;

	(void)state;
	begin(&scene);
	submit(&scene, 3);
	say(&scene, CHANNEL_ACCEPTED, take(&scene, 0));
	say(&scene, CHANNEL_HELLO, 0);
	say(&scene, CHANNEL_REFUSED, take(&scene, 1));
	take(&scene, 2);
	close_all(&scene.channel, 1);
	channel_endpoint_close(scene.endpoint);
	assert_int_equal(scene.counters.handed, 1);
	assert_int_equal(scene.hellos, 0); /* the callback is not called any more */
	assert_int_equal(delivery_waiting(scene.delivery), 2);

	open_outlet(&scene);
	worker_endpoint_take_slot(channel_endpoint_worker(scene.endpoint));
	take(&scene, 1);
	take(&scene, 2);
	end(&scene);
}

static void an_end_that_is_gone_is_told_of_once(void **state)
{
	struct scene scene;
	int i;

	(void)state;
	begin(&scene);
	close_all(&scene.channel, 1);
	for (i = 0; i < 3; i++)
		turn(&scene);
	/*
	 * The loop has no event to wait for. If the closed end were reported again and again, the
	 * loop would never end.
	 */
	submit(&scene, 2);
	assert_int_equal(delivery_waiting(scene.delivery), 2);
	assert_int_equal(on_the_way(&scene), 0);
	end(&scene);
}

/* ---- Invalid messages -------------------------------------------------------------------- */

static void send_with(int channel, const void *bytes, size_t length, const int *fds, size_t count)
{
	struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				.msg_controllen = CMSG_SPACE(count * sizeof(int))};

	assert_true(count <= 4);
	control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	assert_int_equal(sendmsg(channel, &header, 0), length);
}

/* However many descriptors the worker sends, the controller keeps none of them open. */
static void a_worker_can_not_fill_the_controller_with_descriptors(void **state)
{
	struct channel_message message = {.version = CHANNEL_VERSION, .kind = CHANNEL_ACCEPTED};
	struct scene scene;
	uint32_t before, i;
	int fds[4];

	(void)state;
	begin(&scene);
	for (i = 0; i < 4; i++)
		fds[i] = fcntl(scene.channel, F_DUPFD_CLOEXEC, 0);
	before = descriptors_count();
	for (i = 0; i < 40; i++) {
		size_t length = i % 3 ? sizeof(message) : i % 2 ? 1 : 0;

		message.kind = (uint16_t)(i % 7);
		send_with(scene.channel, &message, length, fds, 1 + i % 4);
		turn(&scene);
		assert_int_equal(descriptors_count(), before);
	}
	say(&scene, CHANNEL_HELLO, 0);
	turn(&scene);
	assert_int_equal(scene.hellos, 1); /* later messages are still handled */
	close_all(fds, 4);
	end(&scene);
}

static void answers_to_what_was_not_sent_are_passed_over(void **state)
{
	struct scene scene;
	uint32_t id, i;

	(void)state;
	begin(&scene);
	submit(&scene, 1);
	id = take(&scene, 0);
	for (i = 1; i < 100; i++) {
		say(&scene, CHANNEL_ACCEPTED, id + i);
		say(&scene, CHANNEL_REFUSED, id - i);
		say(&scene, CHANNEL_CONNECTION, id);
		turn(&scene);
	}
	assert_int_equal(on_the_way(&scene), 1);
	assert_int_equal(scene.counters.handed, 0);
	assert_int_equal(delivery_waiting(scene.delivery), 0);
	end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hello_is_told_once),
		cmocka_unit_test(one_that_had_spoken_before_is_not_told_again),
		cmocka_unit_test(connections_come_to_the_worker_with_who_they_are),
		cmocka_unit_test(a_worker_that_hangs_strands_only_so_many),
		cmocka_unit_test(a_full_channel_is_sent_to_once_it_is_not),
		cmocka_unit_test(its_last_words_are_heard),
		cmocka_unit_test(an_end_that_is_gone_is_told_of_once),
		cmocka_unit_test(a_worker_can_not_fill_the_controller_with_descriptors),
		cmocka_unit_test(answers_to_what_was_not_sent_are_passed_over),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
