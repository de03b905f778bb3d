// SPDX-License-Identifier: MIT
/*
 * Measures how long a change of the table takes: one slot more, one slot less, a slot that goes
 * away and comes back.
 *
 *     table SLOTS ROUNDS WAITING
 *
 * No slot has a worker. Meanwhile WAITING connections wait in the slots' queues, spread over all
 * slots. Prints one JSON object: milliseconds of each round. Needs CAP_BPF, and loopback up.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/arguments.h"
#include "lib/loopback.h"
#include "sticky.h"

#define ROUNDS_MAX    1000
#define NOT_PERMITTED 77

enum { FAILED = 1, USAGE = 2 };

enum change { MORE, LESS, AWAY, BACK, CHANGE_COUNT };

static const char *const change_names[CHANGE_COUNT] = {
	[MORE] = "slot more", [LESS] = "slot less", [AWAY] = "slot away", [BACK] = "slot back"};

static double milliseconds[CHANGE_COUNT][ROUNDS_MAX];

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int apply(struct sticky_group *group, enum change change, uint32_t slots)
{
	int error;

	if (change == MORE || change == LESS)
		return sticky_group_set_slots(group, slots + (change == MORE));
	error = sticky_slot_set_away(group, slots / 2, change == AWAY);
	return error ? error : sticky_group_apply(group);
}

static int measure(struct sticky_group *group, uint32_t slots, int rounds)
{
	int round, change;

	for (round = 0; round < rounds; round++)
		for (change = 0; change < CHANGE_COUNT; change++) {
			double began = now_ms();
			int moved = apply(group, (enum change)change, slots);

			milliseconds[change][round] = now_ms() - began;
			if (moved < 0)
				return moved;
		}
	return 0;
}

static void print(int rounds)
{
	int round, change;

	for (change = 0; change < CHANGE_COUNT; change++) {
		printf("%s\"%s\":[", change ? "," : "{", change_names[change]);
		for (round = 0; round < rounds; round++)
			printf("%s%.4f", round ? "," : "", milliseconds[change][round]);
		printf("]");
	}
	printf("}\n");
}

static int failed(const char *what, int error)
{
	fprintf(stderr, "table: %s: %s\n", what, strerror(-error));
	return error == -EPERM ? NOT_PERMITTED : FAILED;
}

/* Connect to the holding sockets. The connections stay open, and are never accepted. */
static int wait_in_queues(struct sticky_group *group, uint32_t count)
{
	char address[STICKY_ADDRESS_TEXT_SIZE];
	uint16_t port;
	uint32_t i;

	if (sticky_group_listener_address(group, 0, sizeof(address), address))
		return -EINVAL;
	port = (uint16_t)atoi(strrchr(address, ':') + 1);
	for (i = 0; i < count; i++) {
		int fd = loopback_connect(CLIENT_V4, i, port);

		if (fd < 0)
			return fd;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sticky_group_options options = {.size = sizeof(options)};
	struct sticky_group *group;
	int rounds, error;

	if (argc != 4) {
		fprintf(stderr, "usage: table SLOTS ROUNDS WAITING\n");
		return USAGE;
	}
	options.slots = arguments_number("table", argv[1], 1, STICKY_SLOTS_LIMIT - 1);
	rounds = (int)arguments_number("table", argv[2], 1, ROUNDS_MAX);
	arguments_raise_descriptor_limit();
	error = sticky_group_open(&options, &group);
	if (error)
		return failed("sticky_group_open", error);
	error = sticky_group_listen(group, "127.0.0.1:0");
	if (error >= 0)
		error = wait_in_queues(group, arguments_number("table", argv[3], 0, CLIENTS));
	if (error >= 0)
		error = measure(group, options.slots, rounds);
	sticky_group_close(group);
	if (error < 0)
		return failed("changing the table", error);
	print(rounds);
	return 0;
}
