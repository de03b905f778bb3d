// SPDX-License-Identifier: MIT
#include "waiting.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <unistd.h>

#include "clients.h"
#include "groups.h"

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

/* Returns the place of the one that was served. */
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
 * The server's side has ended when this is called, so that each client has its answer
 * or its reset by now: nobody is waited for.
 */
static int was_served(int client, uint32_t place)
{
	uint32_t answer = UINT32_MAX;

	return recv(client, &answer, sizeof(answer), MSG_DONTWAIT) == sizeof(answer) &&
	       answer == place;
}

uint32_t waiting_end(struct waiting *line)
{
	uint32_t lost = 0, place;

	for (place = 0; place < line->count; place++)
		lost += !was_served(line->clients[place], place);
	close_all(line->clients, line->count);
	line->count = 0;
	return lost;
}
