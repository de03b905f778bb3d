// SPDX-License-Identifier: MIT
#include "waiting.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "clients.h"
#include "groups.h"
#include "wait.h"

void waiting_connect(struct waiting *line, const struct sockaddr_storage *server)
{
	struct sockaddr_storage client = client_address(server->ss_family, line->next++);
	int fd = client_connect(&client, server);

	assert_true(line->count < WAITING_MAX);
	assert_true(fd >= 0);
	line->clients[line->count++] = fd;
}

void waiting_send(struct waiting *line, uint32_t from)
{
	for (; from < line->count; from++)
		assert_int_equal(number_send(line->clients[from], from), 0);
}

void waiting_add(struct waiting *line, struct sticky_group *group, uint32_t slot,
		 const struct sockaddr_storage *server, uint32_t count)
{
	while (count-- > 0) {
		if (group)
			line->next =
				group_client_of_slot(group, server->ss_family, slot, line->next);
		waiting_connect(line, server);
		waiting_send(line, line->count - 1);
	}
}

/* Serve one client. Returns its place in the line. */
static uint32_t serve_one(int listening)
{
	uint32_t place = UINT32_MAX;
	int fd = client_accept(listening);

	assert_true(fd >= 0);
	assert_int_equal(number_receive(fd, &place), 0);
	assert_int_equal(number_send(fd, place), 0);
	close(fd);
	return place;
}

void waiting_serve_in_order(int listening, uint32_t from, uint32_t count)
{
	uint32_t place;

	for (place = from; place < from + count; place++)
		assert_int_equal(serve_one(listening), place);
}

uint32_t waiting_serve(int listening)
{
	uint32_t count;

	for (count = 0; !nothing_waits(listening); count++)
		serve_one(listening);
	return count;
}

/*
 * the time after which all answers or resets of a line have arrived, counted from when the server
 * has sent them
 */
#define ON_THE_WAY_MS wait_scaled_ms(500)

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Has the client got its own place as the answer? The server has already sent its answer or reset
 * when this is called. On a busy machine the packet may still be on its way, as the kernel leaves
 * packets to ksoftirqd.
 */
static int was_served(int client, uint32_t place, int64_t deadline_ms)
{
	struct pollfd poller = {.fd = client, .events = POLLIN};
	int64_t left_ms = deadline_ms - now_ms();
	uint32_t answer = UINT32_MAX;

	poll(&poller, 1, left_ms > 0 ? (int)left_ms : 0);
	return recv(client, &answer, sizeof(answer), MSG_DONTWAIT) == sizeof(answer) &&
	       answer == place;
}

uint32_t waiting_end(struct waiting *line)
{
	int64_t deadline_ms = now_ms() + ON_THE_WAY_MS;
	uint32_t lost = 0, place;

	for (place = 0; place < line->count; place++)
		lost += !was_served(line->clients[place], place, deadline_ms);
	close_all(line->clients, line->count);
	line->count = 0;
	return lost;
}
