// SPDX-License-Identifier: MIT
/* Connections that we accepted come to the workers of their slots, in order, or get their answer.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "handoff/delivery.h"
#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "sticky.h"

#define SLOTS	4
#define SLOT	2 /* the one that most tests look at */
#define OTHER	1
#define CLIENTS 600
#define NO_END	60000u /* ms: a budget that no test lives to see */
/* A loaded machine under a sanitizer; what is right is early in it, and says so. */
#define SLACK_MS ((uint32_t)wait_scaled_ms(1000))

struct scene {
	uint32_t before; /* descriptors */
	struct event_base *base;
	struct sticky_group *group;
	struct delivery_counters counters;
	struct delivery *delivery;
	int listening;
	struct sockaddr_storage server;
	uint32_t count; /* clients */
	uint32_t next;	/* see client_address() */
	int clients[CLIENTS];
};

/* A worker that remembers what it was sent. */
struct fake {
	struct scene *scene;
	struct worker_endpoint *outlet;
	int result; /* of sending */
	uint32_t tries;
	bool keeps; /* as a worker does: the connection lives on when ours is closed */
	int kept[CLIENTS];
	uint32_t count;
	uint32_t ids[CLIENTS];
	uint32_t places[CLIENTS]; /* of the clients */
};

/* ---- The scene ------------------------------------------------------------------------ */

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct delivery_limits patient(void)
{
	return (struct delivery_limits){
		.retries = 1, .delay_ms = NO_END, .max_held = CLIENTS, .answer = DOWN_ANSWER_502};
}

static struct delivery_limits budget_of(uint32_t retries, uint32_t delay_ms)
{
	return (struct delivery_limits){.retries = retries,
					.delay_ms = delay_ms,
					.max_held = CLIENTS,
					.answer = DOWN_ANSWER_503};
}

static void begin(struct scene *scene, struct delivery_limits limits)
{
	struct sticky_group_options options = group_options(SLOTS);
	struct delivery_options delivery;

	memset(scene, 0, sizeof(*scene));
	scene->before = descriptors_count();
	options.engine = STICKY_ENGINE_USER;
	assert_int_equal(sticky_group_open(&options, &scene->group), 0);
	scene->base = event_base_new();
	assert_non_null(scene->base);
	delivery = (struct delivery_options){
		.base = scene->base, .group = scene->group, .counters = &scene->counters};
	assert_int_equal(delivery_open(&delivery, &limits, &scene->delivery), 0);
	scene->server = address_of("127.0.0.1", 0);
	scene->listening = plain_listen(&scene->server, 0);
	assert_true(scene->listening >= 0);
}

static void turn(struct scene *scene)
{
	event_base_loop(scene->base, EVLOOP_NONBLOCK);
}

static bool is_quiet(void *context)
{
	struct scene *scene = context;

	turn(scene);
	return event_base_get_num_events(scene->base, EVENT_BASE_COUNT_ADDED) == 0;
}

/* Answers that linger are the loop's: they end with their clients. */
static void end(struct scene *scene)
{
	delivery_close(scene->delivery);
	close_all(scene->clients, scene->count);
	assert_int_equal(wait_until(is_quiet, scene), 0);
	event_base_free(scene->base);
	sticky_group_close(scene->group);
	close(scene->listening);
	assert_int_equal(descriptors_count(), scene->before);
}

/* A connection of a client of a slot: its port says the place, as nobody looks at it. */
static struct delivery_item connection(struct scene *scene, uint32_t slot)
{
	struct delivery_item item = {.source = CHANNEL_FROM_HEADER};
	struct sockaddr_storage address;
	int client = client_connect(NULL, &scene->server);

	assert_true(scene->count < CLIENTS && client >= 0);
	item.fd = client_accept(scene->listening);
	assert_true(item.fd >= 0);
	assert_int_equal(fcntl(item.fd, F_SETFL, O_NONBLOCK), 0);
	scene->next = group_client_of_slot(scene->group, AF_INET, slot, scene->next);
	address = client_address(AF_INET, scene->next++);
	memcpy(&item.client.v4, &address, sizeof(item.client.v4));
	item.client.v4.sin_port = htons((uint16_t)scene->count);
	scene->clients[scene->count++] = client;
	return item;
}

static void submit(struct scene *scene, uint32_t slot, uint32_t count)
{
	while (count-- > 0) {
		struct delivery_item item = connection(scene, slot);

		assert_int_equal(delivery_submit(scene->delivery, &item), 0);
	}
	turn(scene);
}

static void check_waiting(struct scene *scene, uint32_t slot, uint32_t count)
{
	turn(scene);
	assert_int_equal(delivery_waiting_of(scene->delivery, slot), count);
}

static int record(void *context, uint32_t id, const struct delivery_item *item)
{
	struct fake *fake = context;

	fake->tries++;
	if (fake->result)
		return fake->result;
	assert_true(fake->count < CLIENTS);
	assert_int_equal(item->source, CHANNEL_FROM_HEADER);
	if (fake->keeps)
		fake->kept[fake->count] = fcntl(item->fd, F_DUPFD_CLOEXEC, 0);
	fake->places[fake->count] = ntohs(item->client.v4.sin_port);
	fake->ids[fake->count++] = id;
	return 0;
}

static void open_fake(struct scene *scene, uint32_t slot, uint32_t limit, struct fake *fake)
{
	static const struct worker_endpoint_ops ops = {.send = record};

	memset(fake, 0, sizeof(*fake));
	fake->scene = scene;
	assert_int_equal(
		worker_endpoint_open(scene->delivery, slot, &ops, fake, limit, &fake->outlet), 0);
}

static void start_fake(struct scene *scene, uint32_t slot, uint32_t limit, struct fake *fake)
{
	open_fake(scene, slot, limit, fake);
	worker_endpoint_take_slot(fake->outlet);
}

/* It got these clients, one after the other, and nobody else after `from`. */
static void check_got(const struct fake *fake, uint32_t from, uint32_t place, uint32_t count)
{
	uint32_t i;

	assert_int_equal(fake->count, from + count);
	for (i = 0; i < count; i++)
		assert_int_equal(fake->places[from + i], place + i);
}

static void accept_all(struct fake *fake, uint32_t from)
{
	for (; from < fake->count; from++)
		worker_endpoint_accepted(fake->outlet, fake->ids[from]);
}

/* ---- What the clients see ----------------------------------------------------------------- */

static bool was_told(struct scene *scene, uint32_t place, const char *beginning)
{
	char text[512] = "";
	ssize_t length = recv(scene->clients[place], text, sizeof(text) - 1, MSG_DONTWAIT);

	return length >= (ssize_t)strlen(beginning) && !memcmp(text, beginning, strlen(beginning));
}

/* Nothing came, and the connection stands. */
static bool is_waiting(struct scene *scene, uint32_t place)
{
	char byte;

	return recv(scene->clients[place], &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 &&
	       errno == EAGAIN;
}

static bool has_ended(struct scene *scene, uint32_t place)
{
	char byte;

	return wait_readable(scene->clients[place]) == 0 &&
	       recv(scene->clients[place], &byte, 1, MSG_DONTWAIT) <= 0;
}

static void reset(struct scene *scene, uint32_t place)
{
	struct linger now = {.l_onoff = 1};

	assert_int_equal(
		setsockopt(scene->clients[place], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	close_all(&scene->clients[place], 1);
}

struct awaited {
	struct scene *scene;
	const uint64_t *counter;
	uint64_t value;
};

static bool has_counted(void *context)
{
	const struct awaited *awaited = context;

	turn(awaited->scene);
	return *awaited->counter >= awaited->value;
}

static void wait_counted(struct scene *scene, const uint64_t *counter, uint64_t value)
{
	struct awaited awaited = {scene, counter, value};

	assert_int_equal(wait_until(has_counted, &awaited), 0);
	assert_int_equal(*counter, value);
}

static bool was_sent(void *context)
{
	struct fake *fake = context;

	turn(fake->scene);
	return fake->count > 0;
}

/* Nothing is to happen for so long. */
static void run_for(struct scene *scene, uint64_t ms)
{
	uint64_t until = now_ms() + ms;

	while (now_ms() < until) {
		turn(scene);
		poll(NULL, 0, 1);
	}
}

/* ---- In order ------------------------------------------------------------------------------ */

static void each_worker_gets_its_slots_connections_in_order(void **state)
{
	struct scene scene;
	struct fake fakes[SLOTS];
	uint32_t slot, i;

	(void)state;
	begin(&scene, patient());
	for (slot = 0; slot < SLOTS; slot++)
		start_fake(&scene, slot, CLIENTS, &fakes[slot]);
	for (i = 0; i < 40; i++)
		submit(&scene, i % SLOTS, 1);
	for (slot = 0; slot < SLOTS; slot++) {
		assert_int_equal(fakes[slot].count, 10);
		for (i = 0; i < 10; i++)
			assert_int_equal(fakes[slot].places[i], i * SLOTS + slot);
		assert_int_equal(worker_endpoint_on_the_way(fakes[slot].outlet), 10);
		accept_all(&fakes[slot], 0);
		assert_int_equal(worker_endpoint_on_the_way(fakes[slot].outlet), 0);
		assert_int_equal(scene.counters.handed_of[slot], 10);
		worker_endpoint_close(fakes[slot].outlet);
	}
	assert_int_equal(scene.counters.handed, 40);
	assert_int_equal(delivery_waiting(scene.delivery), 0);
	end(&scene);
}

static void who_came_before_the_worker_is_first(void **state)
{
	struct scene scene;
	struct fake fake;

	(void)state;
	begin(&scene, patient());
	submit(&scene, SLOT, 20);
	submit(&scene, OTHER, 3);
	check_waiting(&scene, SLOT, 20);
	open_fake(&scene, SLOT, CLIENTS, &fake);
	check_waiting(&scene, SLOT, 20);
	assert_int_equal(fake.tries, 0);
	worker_endpoint_take_slot(fake.outlet);
	check_got(&fake, 0, 0, 20);
	submit(&scene, SLOT, 5);
	check_got(&fake, 20, 23, 5);
	check_waiting(&scene, SLOT, 0);
	assert_int_equal(delivery_waiting(scene.delivery), 3);
	worker_endpoint_close(fake.outlet);
	end(&scene);
}

static void only_so_many_are_on_the_way(void **state)
{
	struct scene scene;
	struct fake fake;
	uint32_t i;

	(void)state;
	begin(&scene, patient());
	start_fake(&scene, SLOT, 4, &fake);
	submit(&scene, SLOT, 10);
	check_got(&fake, 0, 0, 4);
	check_waiting(&scene, SLOT, 6);
	for (i = 0; i < 6; i++) {
		worker_endpoint_accepted(fake.outlet, fake.ids[i]);
		check_got(&fake, 4, 4, i + 1);
		assert_int_equal(worker_endpoint_on_the_way(fake.outlet), 4);
	}
	accept_all(&fake, 6);
	assert_int_equal(worker_endpoint_on_the_way(fake.outlet), 0);
	submit(&scene, SLOT, 5);
	check_got(&fake, 10, 10, 4);
	check_waiting(&scene, SLOT, 1);
	worker_endpoint_close(fake.outlet);
	end(&scene);
}

/* The duplicate is ours until then, so that a worker that dies takes nobody with it. */
static void our_end_is_closed_once_the_worker_has_accepted(void **state)
{
	struct scene scene;
	struct fake fake;

	(void)state;
	begin(&scene, patient());
	start_fake(&scene, SLOT, CLIENTS, &fake);
	submit(&scene, SLOT, 3);
	assert_true(is_waiting(&scene, 0) && is_waiting(&scene, 1) && is_waiting(&scene, 2));
	/* In any order, and each once. */
	worker_endpoint_accepted(fake.outlet, fake.ids[1]);
	worker_endpoint_accepted(fake.outlet, fake.ids[1]);
	worker_endpoint_refused(fake.outlet, fake.ids[1]);
	worker_endpoint_accepted(fake.outlet, fake.ids[2] + 1000);
	worker_endpoint_refused(fake.outlet, 0);
	assert_true(has_ended(&scene, 1));
	assert_true(is_waiting(&scene, 0) && is_waiting(&scene, 2));
	assert_int_equal(scene.counters.handed, 1);
	assert_int_equal(worker_endpoint_on_the_way(fake.outlet), 2);
	worker_endpoint_accepted(fake.outlet, fake.ids[2]);
	assert_true(has_ended(&scene, 2));
	worker_endpoint_close(fake.outlet);
	check_waiting(&scene, SLOT, 1);
	end(&scene);
}

/* ---- Given back ------------------------------------------------------------------------------ */

static void a_refused_one_is_first_again_after_a_while(void **state)
{
	struct scene scene;
	struct fake fake;
	uint64_t start;

	(void)state;
	begin(&scene, budget_of(100, 100));
	start_fake(&scene, SLOT, 2, &fake);
	submit(&scene, SLOT, 4);
	check_got(&fake, 0, 0, 2);
	fake.count = 0;
	start = now_ms();
	worker_endpoint_refused(fake.outlet, fake.ids[0]);
	assert_int_equal(fake.count, 0);
	check_waiting(&scene, SLOT, 3);
	assert_int_equal(wait_until(was_sent, &fake), 0);
	assert_in_range(now_ms() - start, 95, 100 + SLACK_MS);
	check_got(&fake, 0, 0, 1);
	worker_endpoint_close(fake.outlet);
	end(&scene);
}

static void refused_ones_keep_their_order(void **state)
{
	struct scene scene;
	struct fake fake, next;
	uint32_t i;

	(void)state;
	begin(&scene, patient());
	start_fake(&scene, SLOT, 5, &fake);
	submit(&scene, SLOT, 8);
	/* As a process does that stops: in the order in which it got them. */
	for (i = 0; i < 5; i++)
		worker_endpoint_refused(fake.outlet, fake.ids[i]);
	check_waiting(&scene, SLOT, 8);
	start_fake(&scene, SLOT, CLIENTS, &next);
	check_got(&next, 0, 0, 8);
	worker_endpoint_close(fake.outlet);
	worker_endpoint_close(next.outlet);
	end(&scene);
}

static void what_a_predecessor_refuses_goes_to_the_successor_at_once(void **state)
{
	struct scene scene;
	struct fake former, next;

	(void)state;
	begin(&scene, patient());
	start_fake(&scene, SLOT, CLIENTS, &former);
	submit(&scene, SLOT, 3);
	start_fake(&scene, SLOT, CLIENTS, &next);
	assert_int_equal(next.count, 0);
	worker_endpoint_accepted(former.outlet, former.ids[0]);
	worker_endpoint_refused(former.outlet, former.ids[1]);
	check_got(&next, 0, 1, 1);
	submit(&scene, SLOT, 1);
	assert_int_equal(former.count, 3);
	check_got(&next, 1, 3, 1);
	/* It may still accept what is on the way to it. */
	worker_endpoint_accepted(former.outlet, former.ids[2]);
	assert_int_equal(scene.counters.handed_of[SLOT], 2);
	worker_endpoint_close(former.outlet);
	worker_endpoint_close(next.outlet);
	end(&scene);
}

static void what_a_worker_leaves_waits_in_order_for_the_next(void **state)
{
	struct scene scene;
	struct fake former, next;

	(void)state;
	begin(&scene, patient());
	start_fake(&scene, SLOT, 6, &former);
	submit(&scene, SLOT, 10);
	worker_endpoint_accepted(former.outlet, former.ids[0]); /* 7 are sent now */
	worker_endpoint_close(former.outlet);
	check_waiting(&scene, SLOT, 9);
	start_fake(&scene, SLOT, CLIENTS, &next);
	check_got(&next, 0, 1, 9);
	worker_endpoint_close(next.outlet);
	end(&scene);
}

/* The usual reload: the next one is there before the former one goes. */
static void what_a_worker_leaves_goes_in_order_to_who_has_the_slot(void **state)
{
	struct scene scene;
	struct fake former, next;

	(void)state;
	begin(&scene, patient());
	start_fake(&scene, SLOT, 6, &former);
	submit(&scene, SLOT, 6);
	start_fake(&scene, SLOT, CLIENTS, &next);
	worker_endpoint_close(former.outlet);
	check_got(&next, 0, 0, 6);
	worker_endpoint_close(next.outlet);
	end(&scene);
}

static void an_outlet_that_left_gets_no_more(void **state)
{
	struct scene scene;
	struct fake fake;

	(void)state;
	begin(&scene, patient());
	start_fake(&scene, SLOT, 2, &fake);
	submit(&scene, SLOT, 3);
	worker_endpoint_leave_slot(fake.outlet);
	accept_all(&fake, 0);
	submit(&scene, SLOT, 1);
	worker_endpoint_resume(fake.outlet);
	check_got(&fake, 0, 0, 2);
	check_waiting(&scene, SLOT, 2);
	worker_endpoint_leave_slot(fake.outlet);
	worker_endpoint_take_slot(fake.outlet);
	check_got(&fake, 2, 2, 2);
	worker_endpoint_close(fake.outlet);
	worker_endpoint_close(NULL);
	end(&scene);
}

/* ---- What can't be sent -----------------------------------------------------------------------
 */

static void a_full_outlet_is_left_alone_until_it_can_be_sent_to(void **state)
{
	struct scene scene;
	struct fake fake;

	(void)state;
	begin(&scene, budget_of(2, 10));
	start_fake(&scene, SLOT, CLIENTS, &fake);
	submit(&scene, SLOT, 2);
	fake.result = -EAGAIN;
	submit(&scene, SLOT, 5);
	assert_int_equal(fake.tries, 3);
	accept_all(&fake, 0);
	assert_int_equal(fake.tries, 3);
	worker_endpoint_resume(fake.outlet); /* too early */
	assert_int_equal(fake.tries, 4);
	fake.result = 0;
	/* It is there, and slow: nobody gets an answer for that. */
	run_for(&scene, 100);
	assert_int_equal(fake.tries, 4);
	check_waiting(&scene, SLOT, 5);
	assert_int_equal(scene.counters.answered, 0);
	worker_endpoint_resume(fake.outlet);
	check_got(&fake, 2, 2, 5);
	worker_endpoint_close(fake.outlet);
	end(&scene);
}

static void a_full_machine_is_tried_again(void **state)
{
	struct scene scene;
	struct fake fake;
	uint64_t start;

	(void)state;
	begin(&scene, budget_of(100, 50));
	start_fake(&scene, SLOT, CLIENTS, &fake);
	fake.result = -ENOBUFS;
	start = now_ms();
	submit(&scene, SLOT, 5);
	assert_int_equal(fake.tries, 1);
	fake.result = 0;
	assert_int_equal(wait_until(was_sent, &fake), 0);
	assert_in_range(now_ms() - start, 45, 50 + SLACK_MS);
	check_got(&fake, 0, 0, 5);
	worker_endpoint_close(fake.outlet);
	end(&scene);
}

/* With a delay of zero it would be asked without end. */
static void a_full_machine_is_not_asked_without_a_pause(void **state)
{
	struct scene scene;
	struct fake fake;

	(void)state;
	begin(&scene, budget_of(0, 0));
	start_fake(&scene, SLOT, CLIENTS, &fake);
	fake.result = -ENOBUFS;
	submit(&scene, SLOT, 1);
	run_for(&scene, 100);
	assert_in_range(fake.tries, 2, 12);
	assert_int_equal(scene.counters.answered, 0);
	worker_endpoint_close(fake.outlet);
	wait_counted(&scene, &scene.counters.answered, 1);
	end(&scene);
}

static void nothing_is_sent_to_an_end_that_is_gone(void **state)
{
	static const int errors[] = {-EPIPE, -ECONNRESET, -EBADF};
	struct scene scene;
	struct fake fake, next;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		begin(&scene, budget_of(100, 10));
		start_fake(&scene, SLOT, CLIENTS, &fake);
		submit(&scene, SLOT, 1);
		fake.result = errors[i];
		submit(&scene, SLOT, 3);
		run_for(&scene, 50);
		assert_int_equal(fake.tries, 2);
		check_waiting(&scene, SLOT, 3);
		worker_endpoint_close(fake.outlet);
		check_waiting(&scene, SLOT, 4);
		start_fake(&scene, SLOT, CLIENTS, &next);
		check_got(&next, 0, 0, 4);
		worker_endpoint_close(next.outlet);
		end(&scene);
	}
}

/* ---- Time --------------------------------------------------------------------------------------
 */

static void check_budget(uint32_t retries, uint32_t delay_ms)
{
	struct scene scene;
	uint64_t start, budget = (uint64_t)retries * delay_ms;

	begin(&scene, budget_of(retries, delay_ms));
	start = now_ms();
	submit(&scene, SLOT, 1);
	assert_int_equal(send(scene.clients[0], "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	wait_counted(&scene, &scene.counters.answered, 1);
	assert_in_range(now_ms() - start, budget, budget + delay_ms + SLACK_MS);
	assert_int_equal(wait_readable(scene.clients[0]), 0);
	assert_true(was_told(&scene, 0, "HTTP/1.1 503 Service Unavailable\r\n"));
	assert_in_range(scene.counters.retried, retries, retries + SLACK_MS / (delay_ms + 1));
	assert_int_equal(delivery_waiting(scene.delivery), 0);
	end(&scene);
}

static void who_has_waited_for_his_time_gets_the_answer(void **state)
{
	(void)state;
	check_budget(4, 50);
	check_budget(1, 120);
	check_budget(30, 5);
	check_budget(0, 100);
}

static void everybody_waits_for_his_own_time(void **state)
{
	struct scene scene;
	uint64_t start = now_ms();

	(void)state;
	begin(&scene, budget_of(10, 20));
	submit(&scene, SLOT, 1);
	run_for(&scene, 100);
	submit(&scene, OTHER, 1);
	wait_counted(&scene, &scene.counters.answered, 1);
	assert_true(now_ms() - start >= 200);
	check_waiting(&scene, SLOT, 0);
	wait_counted(&scene, &scene.counters.answered, 2);
	assert_in_range(now_ms() - start, 300, 300 + 2 * SLACK_MS);
	end(&scene);
}

static void a_worker_that_comes_in_time_gets_them(void **state)
{
	struct scene scene;
	struct fake fake;

	(void)state;
	begin(&scene, budget_of(10, 30));
	submit(&scene, SLOT, 5);
	run_for(&scene, 100);
	start_fake(&scene, SLOT, 2, &fake);
	check_got(&fake, 0, 0, 2);
	/* The others wait for it to accept, however long that takes. */
	run_for(&scene, 400);
	check_waiting(&scene, SLOT, 3);
	assert_int_equal(scene.counters.answered, 0);
	assert_in_range(scene.counters.retried, 5 * 2, 5 * (3 + SLACK_MS / 30));
	/* Now it is gone, and their time runs. */
	worker_endpoint_close(fake.outlet);
	check_waiting(&scene, SLOT, 5);
	wait_counted(&scene, &scene.counters.answered, 5);
	end(&scene);
}

static void a_shorter_budget_is_in_force_at_once(void **state)
{
	struct delivery_limits limits = budget_of(1, 50);
	struct scene scene;

	(void)state;
	begin(&scene, patient());
	submit(&scene, SLOT, 2);
	run_for(&scene, 60);
	delivery_set_limits(scene.delivery, &limits);
	wait_counted(&scene, &scene.counters.answered, 2);
	end(&scene);
}

static void check_answer(enum down_answer kind, const char *request, const char *expected)
{
	struct delivery_limits limits = budget_of(1, 20);
	struct scene scene;

	limits.answer = kind;
	begin(&scene, limits);
	submit(&scene, SLOT, 1);
	assert_true(send(scene.clients[0], request, strlen(request), 0) >= 0);
	wait_counted(&scene, &scene.counters.answered, 1);
	if (expected) {
		assert_int_equal(wait_readable(scene.clients[0]), 0);
		assert_true(was_told(&scene, 0, expected));
	}
	assert_true(has_ended(&scene, 0));
	end(&scene);
}

static void the_answer_is_of_the_kind_that_was_asked_for(void **state)
{
	(void)state;
	check_answer(DOWN_ANSWER_502, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 502 Bad Gateway\r\n");
	check_answer(DOWN_ANSWER_503, "GET", "HTTP/1.1 503 Service Unavailable\r\n");
	check_answer(DOWN_ANSWER_CLOSE, "GET / HTTP/1.1\r\n\r\n", NULL);
	check_answer(DOWN_ANSWER_502, "\x16\x03\x01",
		     NULL); /* no plain text into a TLS handshake */
}

/* ---- How many
 * ------------------------------------------------------------------------------------ */

static void beyond_the_limit_the_oldest_gets_his_answer(void **state)
{
	struct delivery_limits limits = patient();
	struct scene scene;
	struct fake fake;
	uint32_t i;

	(void)state;
	limits.max_held = 3;
	begin(&scene, limits);
	for (i = 0; i < 6; i++)
		submit(&scene, i % 2 ? SLOT : OTHER, 1);
	assert_int_equal(scene.counters.answered, 3);
	assert_int_equal(delivery_waiting(scene.delivery), 3);
	for (i = 0; i < 6; i++)
		assert_int_equal(is_waiting(&scene, i), i >= 3);
	limits.max_held = 1;
	delivery_set_limits(scene.delivery, &limits);
	assert_int_equal(scene.counters.answered, 5);
	start_fake(&scene, SLOT, CLIENTS, &fake);
	check_got(&fake, 0, 5, 1);
	worker_endpoint_close(fake.outlet);
	end(&scene);
}

/* Who waits for a slot that nobody has goes before one whose worker is only slow. */
static void beyond_the_limit_a_slow_workers_clients_go_last(void **state)
{
	struct delivery_limits limits = patient();
	struct scene scene;
	struct fake fake;

	(void)state;
	limits.max_held = 4;
	begin(&scene, limits);
	start_fake(&scene, SLOT, 1, &fake);
	submit(&scene, SLOT, 4); /* 1 on the way, 3 wait */
	submit(&scene, OTHER, 1);
	submit(&scene, SLOT, 1);
	assert_int_equal(scene.counters.answered, 1);
	assert_false(is_waiting(&scene, 4));
	submit(&scene, SLOT, 1);
	assert_int_equal(scene.counters.answered, 2);
	assert_false(is_waiting(&scene, 1));
	assert_true(is_waiting(&scene, 0) && is_waiting(&scene, 2));
	worker_endpoint_close(fake.outlet); /* one more comes back: one too many */
	assert_int_equal(scene.counters.answered, 3);
	assert_int_equal(delivery_waiting(scene.delivery), 4);
	end(&scene);
}

static void where_nobody_may_wait_everybody_is_answered(void **state)
{
	struct delivery_limits limits = patient();
	struct scene scene;

	(void)state;
	limits.max_held = 0;
	begin(&scene, limits);
	submit(&scene, SLOT, 5);
	assert_int_equal(scene.counters.answered, 5);
	assert_int_equal(delivery_waiting(scene.delivery), 0);
	end(&scene);
}

/* ---- Clients that go away
 * -------------------------------------------------------------------------- */

static void who_goes_away_is_forgotten(void **state)
{
	struct scene scene;
	struct fake fake;

	(void)state;
	begin(&scene, patient());
	start_fake(&scene, OTHER, 1, &fake);
	submit(&scene, SLOT, 3);
	submit(&scene, OTHER, 3); /* 3 is on the way, 4 and 5 wait for it */
	reset(&scene, 1);
	reset(&scene, 3);
	reset(&scene, 4);
	wait_counted(&scene, &scene.counters.client_gone, 2);
	check_waiting(&scene, SLOT, 2);
	check_waiting(&scene, OTHER, 1);
	/* The one on the way is the worker's to find out. */
	assert_int_equal(worker_endpoint_on_the_way(fake.outlet), 1);
	worker_endpoint_accepted(fake.outlet, fake.ids[0]);
	check_got(&fake, 1, 5, 1);
	worker_endpoint_close(fake.outlet);
	end(&scene);
}

static void many_go_away_at_a_time(void **state)
{
	struct scene scene;
	uint32_t i;

	(void)state;
	begin(&scene, patient());
	submit(&scene, SLOT, 300);
	for (i = 0; i < 300; i++)
		if (i % 3)
			reset(&scene, i);
	wait_counted(&scene, &scene.counters.client_gone, 200);
	check_waiting(&scene, SLOT, 100);
	end(&scene);
}

/* It has said all that it had to say, and waits for the answer. */
static void who_closed_his_half_still_waits(void **state)
{
	struct scene scene;
	struct fake fake;

	(void)state;
	begin(&scene, patient());
	submit(&scene, SLOT, 1);
	assert_int_equal(shutdown(scene.clients[0], SHUT_WR), 0);
	run_for(&scene, 30);
	check_waiting(&scene, SLOT, 1);
	start_fake(&scene, SLOT, CLIENTS, &fake);
	check_got(&fake, 0, 0, 1);
	worker_endpoint_close(fake.outlet);
	end(&scene);
}

/* ---- The table
 * -------------------------------------------------------------------------------------- */

static void set_away(struct scene *scene, bool is_away)
{
	assert_int_equal(sticky_slot_set_away(scene->group, SLOT, is_away), 0);
	assert_true(sticky_group_apply(scene->group) > 0);
	delivery_table_changed(scene->delivery);
}

static void who_waits_moves_with_the_table(void **state)
{
	struct scene scene;
	struct fake fake;

	(void)state;
	begin(&scene, patient());
	submit(&scene, SLOT, 30);
	submit(&scene, OTHER, 2);
	set_away(&scene, true);
	check_waiting(&scene, SLOT, 0);
	assert_true(delivery_waiting_of(scene.delivery, OTHER) > 2);
	assert_int_equal(delivery_waiting(scene.delivery), 32);
	set_away(&scene, false);
	check_waiting(&scene, SLOT, 30);
	check_waiting(&scene, OTHER, 2);
	start_fake(&scene, SLOT, CLIENTS, &fake);
	assert_int_equal(fake.count, 30);
	assert_int_equal(scene.counters.answered, 0);
	worker_endpoint_close(fake.outlet);
	end(&scene);
}

static void start_all_but_one(struct scene *scene, struct fake *fakes)
{
	uint32_t slot;

	for (slot = 0; slot < SLOTS; slot++)
		if (slot != SLOT)
			start_fake(scene, slot, CLIENTS, &fakes[slot]);
}

static void close_all_but_one(struct fake *fakes)
{
	uint32_t slot;

	for (slot = 0; slot < SLOTS; slot++)
		if (slot != SLOT)
			worker_endpoint_close(fakes[slot].outlet);
}

static uint32_t sum_of(const struct fake *fakes)
{
	uint32_t slot, sum = 0;

	for (slot = 0; slot < SLOTS; slot++)
		sum += slot == SLOT ? 0 : fakes[slot].count;
	return sum;
}

/* Nobody who was passed on is looked after any more: their ends are the workers' to see. */
static void who_moved_to_a_worker_may_go_away(void **state)
{
	struct scene scene;
	struct fake fakes[SLOTS];
	uint32_t i, slot;

	(void)state;
	begin(&scene, patient());
	submit(&scene, SLOT, 30);
	start_all_but_one(&scene, fakes);
	set_away(&scene, true);
	assert_int_equal(sum_of(fakes), 30);
	assert_int_equal(delivery_waiting(scene.delivery), 0);
	for (i = 0; i < 15; i++)
		reset(&scene, i);
	run_for(&scene, 30);
	assert_int_equal(scene.counters.client_gone, 0);
	assert_int_equal(delivery_waiting(scene.delivery), 0);
	for (slot = 0; slot < SLOTS; slot++)
		if (slot != SLOT)
			accept_all(&fakes[slot], 0);
	assert_int_equal(scene.counters.handed, 30);
	close_all_but_one(fakes);
	end(&scene);
}

/* Its client's end is no business of ours, though the connection is the one that we watched. */
static void check_accepted_ones_go_away(struct scene *scene, struct fake *fake)
{
	uint32_t i;

	accept_all(fake, 0);
	for (i = 0; i < fake->count; i++)
		reset(scene, fake->places[i]);
	run_for(scene, 20);
	assert_int_equal(scene->counters.client_gone, 0);
	assert_int_equal(delivery_waiting(scene->delivery), 0);
	close_all(fake->kept, fake->count);
}

static void who_was_accepted_may_go_away(void **state)
{
	struct scene scene;
	struct fake fakes[SLOTS];
	uint32_t slot;

	(void)state;
	begin(&scene, patient());
	submit(&scene, SLOT, 30);
	start_all_but_one(&scene, fakes);
	for (slot = 0; slot < SLOTS; slot++)
		fakes[slot].keeps = true;
	set_away(&scene, true);
	for (slot = 0; slot < SLOTS; slot++)
		if (slot != SLOT)
			check_accepted_ones_go_away(&scene, &fakes[slot]);
	assert_int_equal(scene.counters.handed, 30);
	close_all_but_one(fakes);
	end(&scene);
}

/* The same where it waited for its own slot's worker. */
static void who_waited_and_was_accepted_may_go_away(void **state)
{
	struct scene scene;
	struct fake fake;

	(void)state;
	begin(&scene, patient());
	submit(&scene, SLOT, 10);
	open_fake(&scene, SLOT, CLIENTS, &fake);
	fake.keeps = true;
	worker_endpoint_take_slot(fake.outlet);
	check_accepted_ones_go_away(&scene, &fake);
	worker_endpoint_close(fake.outlet);
	end(&scene);
}

/* A worker that is slow: who waits for it moves too. */
static void who_waits_for_a_slow_worker_moves_with_the_table(void **state)
{
	struct scene scene;
	struct fake fakes[SLOTS], slow;

	(void)state;
	begin(&scene, patient());
	start_all_but_one(&scene, fakes);
	start_fake(&scene, SLOT, 2, &slow);
	submit(&scene, SLOT, 12);
	check_waiting(&scene, SLOT, 10);
	set_away(&scene, true);
	assert_int_equal(sum_of(fakes), 10);
	/* What is on the way to it may still be accepted, or comes back, and moves then. */
	worker_endpoint_accepted(slow.outlet, slow.ids[0]);
	worker_endpoint_close(slow.outlet);
	assert_int_equal(sum_of(fakes), 11);
	close_all_but_one(fakes);
	end(&scene);
}

/* ---- The end
 * ------------------------------------------------------------------------------------------ */

static void once_given_up_nobody_waits_for_nobody(void **state)
{
	struct scene scene;
	struct fake fake;
	struct delivery_item item;

	(void)state;
	begin(&scene, patient());
	start_fake(&scene, OTHER, 1, &fake);
	submit(&scene, SLOT, 3);
	submit(&scene, OTHER, 2);
	item = connection(&scene, SLOT); /* submitted, not placed yet */
	assert_int_equal(delivery_submit(scene.delivery, &item), 0);
	delivery_give_up(scene.delivery);
	assert_int_equal(scene.counters.answered, 4);
	check_waiting(&scene, OTHER, 1);
	submit(&scene, SLOT, 1);
	assert_int_equal(scene.counters.answered, 5);
	/* Who has a worker is served to the end. */
	worker_endpoint_accepted(fake.outlet, fake.ids[0]);
	check_got(&fake, 1, 4, 1);
	worker_endpoint_accepted(fake.outlet, fake.ids[1]);
	assert_int_equal(scene.counters.handed, 2);
	worker_endpoint_close(fake.outlet);
	end(&scene);
}

static void once_given_up_a_workers_end_is_its_clients_answer(void **state)
{
	struct scene scene;
	struct fake fake;

	(void)state;
	begin(&scene, patient());
	start_fake(&scene, SLOT, 2, &fake);
	submit(&scene, SLOT, 5);
	delivery_give_up(scene.delivery);
	assert_int_equal(scene.counters.answered, 0);
	worker_endpoint_close(fake.outlet);
	assert_int_equal(delivery_waiting(scene.delivery), 0);
	assert_int_equal(scene.counters.answered, 5);
	end(&scene);
}

static void a_close_ends_all_who_are_left(void **state)
{
	struct scene scene;
	struct fake fake, blocked;
	struct delivery_item item;
	uint32_t i;

	(void)state;
	begin(&scene, patient());
	start_fake(&scene, OTHER, 1, &fake);
	start_fake(&scene, 0, 5, &blocked);
	blocked.result = -ENOBUFS;
	submit(&scene, SLOT, 2);  /* nobody has it */
	submit(&scene, OTHER, 3); /* on the way, and slow */
	submit(&scene, 0, 2);	  /* to be tried again */
	item = connection(&scene, SLOT);
	assert_int_equal(delivery_submit(scene.delivery, &item), 0); /* not placed */
	worker_endpoint_close(fake.outlet);
	worker_endpoint_close(blocked.outlet);
	delivery_close(scene.delivery);
	scene.delivery = NULL;
	for (i = 0; i < scene.count; i++)
		assert_true(has_ended(&scene, i));
	assert_int_equal(scene.counters.handed + scene.counters.answered, 0);
	end(&scene);
}

/* ---- Threads
 * -------------------------------------------------------------------------------------------- */

#define THREADS	   4
#define PER_THREAD 100

struct thread {
	pthread_t id;
	struct delivery *delivery;
	struct delivery_item items[PER_THREAD];
	int error;
};

static void *submit_all(void *context)
{
	struct thread *thread = context;
	uint32_t i;

	for (i = 0; i < PER_THREAD && !thread->error; i++)
		thread->error = delivery_submit(thread->delivery, &thread->items[i]);
	return NULL;
}

static bool all_came(void *context)
{
	struct fake *fakes = context;
	uint32_t slot, sum = 0;

	turn(fakes[0].scene);
	for (slot = 0; slot < SLOTS; slot++)
		sum += fakes[slot].count;
	return sum == THREADS * PER_THREAD;
}

/* Each thread's come in the order in which it submitted them. */
static void check_order_of_threads(const struct fake *fake)
{
	uint32_t last[THREADS] = {0}, i;

	for (i = 0; i < fake->count; i++) {
		uint32_t thread = fake->places[i] / PER_THREAD;

		assert_true(fake->places[i] + 1 > last[thread]);
		last[thread] = fake->places[i] + 1;
	}
}

static void threads_submit_at_a_time(void **state)
{
	static struct thread threads[THREADS];
	struct scene scene;
	struct fake fakes[SLOTS];
	uint32_t i, slot;

	(void)state;
	memset(threads, 0, sizeof(threads));
	begin(&scene, patient());
	for (slot = 0; slot < SLOTS; slot++)
		start_fake(&scene, slot, CLIENTS, &fakes[slot]);
	for (i = 0; i < THREADS * PER_THREAD; i++) {
		threads[i / PER_THREAD].delivery = scene.delivery;
		threads[i / PER_THREAD].items[i % PER_THREAD] = connection(&scene, i % SLOTS);
	}
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i].id, NULL, submit_all, &threads[i]), 0);
	assert_int_equal(wait_until(all_came, fakes), 0);
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i].id, NULL);
		assert_int_equal(threads[i].error, 0);
	}
	for (slot = 0; slot < SLOTS; slot++) {
		assert_int_equal(fakes[slot].count, THREADS * PER_THREAD / SLOTS);
		check_order_of_threads(&fakes[slot]);
		accept_all(&fakes[slot], 0);
		worker_endpoint_close(fakes[slot].outlet);
	}
	assert_int_equal(scene.counters.handed, THREADS * PER_THREAD);
	end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_worker_gets_its_slots_connections_in_order),
		cmocka_unit_test(who_came_before_the_worker_is_first),
		cmocka_unit_test(only_so_many_are_on_the_way),
		cmocka_unit_test(our_end_is_closed_once_the_worker_has_accepted),
		cmocka_unit_test(a_refused_one_is_first_again_after_a_while),
		cmocka_unit_test(refused_ones_keep_their_order),
		cmocka_unit_test(what_a_predecessor_refuses_goes_to_the_successor_at_once),
		cmocka_unit_test(what_a_worker_leaves_waits_in_order_for_the_next),
		cmocka_unit_test(what_a_worker_leaves_goes_in_order_to_who_has_the_slot),
		cmocka_unit_test(an_outlet_that_left_gets_no_more),
		cmocka_unit_test(a_full_outlet_is_left_alone_until_it_can_be_sent_to),
		cmocka_unit_test(a_full_machine_is_tried_again),
		cmocka_unit_test(a_full_machine_is_not_asked_without_a_pause),
		cmocka_unit_test(nothing_is_sent_to_an_end_that_is_gone),
		cmocka_unit_test(who_has_waited_for_his_time_gets_the_answer),
		cmocka_unit_test(everybody_waits_for_his_own_time),
		cmocka_unit_test(a_worker_that_comes_in_time_gets_them),
		cmocka_unit_test(a_shorter_budget_is_in_force_at_once),
		cmocka_unit_test(the_answer_is_of_the_kind_that_was_asked_for),
		cmocka_unit_test(beyond_the_limit_the_oldest_gets_his_answer),
		cmocka_unit_test(beyond_the_limit_a_slow_workers_clients_go_last),
		cmocka_unit_test(where_nobody_may_wait_everybody_is_answered),
		cmocka_unit_test(who_goes_away_is_forgotten),
		cmocka_unit_test(many_go_away_at_a_time),
		cmocka_unit_test(who_closed_his_half_still_waits),
		cmocka_unit_test(who_waits_moves_with_the_table),
		cmocka_unit_test(who_moved_to_a_worker_may_go_away),
		cmocka_unit_test(who_was_accepted_may_go_away),
		cmocka_unit_test(who_waited_and_was_accepted_may_go_away),
		cmocka_unit_test(who_waits_for_a_slow_worker_moves_with_the_table),
		cmocka_unit_test(once_given_up_nobody_waits_for_nobody),
		cmocka_unit_test(once_given_up_a_workers_end_is_its_clients_answer),
		cmocka_unit_test(a_close_ends_all_who_are_left),
		cmocka_unit_test(threads_submit_at_a_time),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
