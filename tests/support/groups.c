// SPDX-License-Identifier: MIT
#include "groups.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients.h"
#include "wait.h"

static void report(void *context, enum sticky_log_level level, const char *event,
		   const char *detail)
{
	(void)context;
	if (level <= STICKY_LOG_WARN)
		fprintf(stderr, "# log: %s %s\n", event, detail);
}

struct sticky_group_options group_options(uint32_t slots)
{
	static const uint8_t seed[STICKY_SEED_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct sticky_group_options options = {
		.size = sizeof(options), .slots = slots, .seed = seed, .log = report};

	return options;
}

struct sticky_group *group_start(uint32_t slots, const char *address)
{
	struct sticky_group_options options = group_options(slots);
	struct sticky_group *group;

	assert_int_equal(sticky_group_open(&options, &group), 0);
	assert_int_equal(sticky_group_listen(group, address), 0);
	return group;
}

bool group_lacks_v6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage loopback = address_of("::1", 0);
	bool lacks = fd < 0 || bind(fd, (void *)&loopback, address_length(&loopback));

	if (fd >= 0)
		close(fd);
	return lacks;
}

uint16_t group_port(struct sticky_group *group, uint32_t listener)
{
	char text[STICKY_ADDRESS_TEXT_SIZE];

	assert_int_equal(sticky_group_listener_address(group, listener, sizeof(text), text), 0);
	return (uint16_t)atoi(strrchr(text, ':') + 1);
}

struct sockaddr_storage group_server(struct sticky_group *group, uint32_t listener,
				     sa_family_t family)
{
	return address_of(family == AF_INET ? "127.0.0.1" : "::1", group_port(group, listener));
}

uint32_t group_slot_of(struct sticky_group *group, const struct sockaddr_storage *client)
{
	struct sticky_where where = {.size = sizeof(where)};

	assert_int_equal(sticky_group_where(group, (const void *)client, &where), 0);
	return where.slot;
}

uint32_t group_client_of_slot(struct sticky_group *group, sa_family_t family, uint32_t slot,
			      uint32_t number)
{
	for (;; number++) {
		struct sockaddr_storage client = client_address(family, number);

		if (group_slot_of(group, &client) == slot)
			return number;
	}
}

struct sticky_counters group_counters(struct sticky_group *group)
{
	struct sticky_counters counters = {.size = sizeof(counters)};

	assert_int_equal(sticky_group_counters(group, &counters), 0);
	return counters;
}

struct sticky_slot_info group_slot_info(struct sticky_group *group, uint32_t slot)
{
	struct sticky_slot_info infos[STICKY_SLOTS_LIMIT];

	infos[0].size = sizeof(infos[0]);
	assert_int_equal(sticky_group_slot_infos(group, slot + 1, infos), 0);
	return infos[slot];
}

struct awaited_queue {
	struct sticky_group *group;
	uint32_t slot, queue;
};

static bool queue_is_there(void *context)
{
	const struct awaited_queue *awaited = context;

	return group_slot_info(awaited->group, awaited->slot).queue == awaited->queue;
}

int group_wait_queue(struct sticky_group *group, uint32_t slot, uint32_t queue)
{
	struct awaited_queue awaited = {group, slot, queue};

	return wait_until(queue_is_there, &awaited);
}

struct sticky_worker *worker_start(struct sticky_group *group, uint32_t slot)
{
	struct sticky_worker *worker;

	assert_int_equal(sticky_worker_open(group, slot, &worker), 0);
	assert_int_equal(sticky_worker_ready(worker), 0);
	return worker;
}

void workers_start(struct sticky_group *group, struct sticky_worker **ret_workers)
{
	uint32_t slot;

	for (slot = 0; slot < sticky_group_slots(group); slot++)
		ret_workers[slot] = worker_start(group, slot);
}

void workers_close(struct sticky_group *group, struct sticky_worker **workers)
{
	uint32_t slot;

	for (slot = 0; slot < sticky_group_slots(group); slot++)
		assert_int_equal(sticky_worker_close(workers[slot]), 0);
}

/* Wait for a connection. Returns the index of a socket that has one, or -ETIMEDOUT. */
static int poll_listening(struct pollfd *fds, uint32_t count)
{
	uint32_t i;

	while (poll(fds, count, WAIT_DEADLINE_MS) > 0)
		for (i = 0; i < count; i++) {
			if (fds[i].revents == POLLIN)
				return (int)i;
			if (fds[i].revents)
				fds[i].fd =
					/*
					 * After shutdown() the socket is always readable, and never
					 * has a client.
					 */
					-1;
		}
	return -ETIMEDOUT;
}

int workers_accept(struct sticky_worker *const *workers, uint32_t count, uint32_t listener,
		   uint32_t *ret_worker)
{
	struct pollfd fds[STICKY_SLOTS_LIMIT];
	int place;
	uint32_t i;

	for (i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = sticky_worker_fd(workers[i], listener),
					 .events = POLLIN};
	place = poll_listening(fds, count);
	if (place < 0)
		return place;
	*ret_worker = (uint32_t)place;
	return client_accept(fds[place].fd);
}

bool nothing_waits(int listening)
{
	struct pollfd fd = {.fd = listening, .events = POLLIN};

	return poll(&fd, 1, 0) == 0;
}

uint32_t workers_slot_of_arrival(struct sticky_worker *const *workers, uint32_t count,
				 uint32_t listener, const struct sockaddr_storage *source,
				 const struct sockaddr_storage *server)
{
	uint32_t worker = UINT32_MAX;
	int ends[2];

	ends[0] = client_connect(source, server);
	assert_true(ends[0] >= 0);
	ends[1] = workers_accept(workers, count, listener, &worker);
	assert_true(ends[1] >= 0);
	assert_true(is_peer(ends[1], ends[0]));
	close_all(ends, 2);
	return sticky_worker_slot(workers[worker]);
}

uint32_t group_count_moved(struct sticky_group *group, struct sticky_worker *const *workers,
			   uint32_t listener, sa_family_t family, uint32_t clients)
{
	struct sockaddr_storage server = group_server(group, listener, family);
	uint32_t moved = 0, i;

	for (i = 0; i < clients; i++) {
		struct sockaddr_storage source = client_address(family, i);

		moved += workers_slot_of_arrival(workers, sticky_group_slots(group), listener,
						 &source, &server) != group_slot_of(group, &source);
	}
	return moved;
}

void workers_drain(struct sticky_worker *const *workers, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		while (!nothing_waits(sticky_worker_fd(workers[i], 0)))
			close(client_accept(sticky_worker_fd(workers[i], 0)));
}
