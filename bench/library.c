// SPDX-License-Identifier: MIT
/*
 * What the library costs its host.
 *
 *     library SLOTS ROUNDS LOOKUPS
 *
 * In each round a group of so many slots is opened, resized and closed, and clients are looked up.
 * Prints one JSON object with one value a round for each figure: see bench/README.md.
 *
 * Exit codes: 0 measured; 1 failed; 2 usage; 77 not permitted.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/arguments.h"
#include "lib/kernel_memory.h"
#include "lib/loopback.h"
#include "sticky.h"

#define ROUNDS_MAX    256
#define NOT_PERMITTED 77
#define WAIT_MS	      1000
/* The kernel gives the memory of the previous round's sockets back after a grace period. */
#define SETTLE_US 200000
#define FILLERS	  512

enum figure {
	OPEN_MS,     /* sticky_group_open() */
	LISTEN_MS,   /* sticky_group_listen(): a socket for each slot */
	READY_US,    /* sticky_worker_ready() of a held slot */
	NEW_US,	     /* from there to a new client's connection in the worker's queue */
	WAITING_US,  /* the same of a client that waited in the holding socket */
	RESIZE_MS,   /* sticky_group_set_slots(), one slot more */
	LOOKUP_NS,   /* sticky_group_slot_of() */
	WHERE_NS,    /* sticky_group_where(), with the key as text */
	COUNTERS_US, /* sticky_group_statistics() of all slots */
	HEAP_BYTES,  /* the group's memory in this process */
	BPF_BYTES,   /* its maps and program, in the kernel */
	SLAB_BYTES,  /* the sockets of one address, in the kernel */
	FIGURE_COUNT
};

static const char *const names[FIGURE_COUNT] = {
	[OPEN_MS] = "open_ms",	     [LISTEN_MS] = "listen_ms",	  [READY_US] = "ready_us",
	[NEW_US] = "new_us",	     [WAITING_US] = "waiting_us", [RESIZE_MS] = "resize_ms",
	[LOOKUP_NS] = "lookup_ns",   [WHERE_NS] = "where_ns",	  [COUNTERS_US] = "counters_us",
	[HEAP_BYTES] = "heap_bytes", [BPF_BYTES] = "bpf_bytes",	  [SLAB_BYTES] = "slab_bytes",
};

/* Keeps the compiler from leaving look-ups out. */
static volatile int sink;

static double values[ROUNDS_MAX][FIGURE_COUNT];

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Returns the number of a client of the slot. */
static uint32_t client_of(struct sticky_group *group, uint32_t slot)
{
	struct sockaddr_storage client;
	uint32_t number = 0;

	for (;; number++) {
		loopback_client_address(CLIENT_V4, number, &client);
		if (sticky_group_slot_of(group, (void *)&client) == (int)slot)
			return number;
	}
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);

	return getsockname(fd, (void *)&address, &length) ? 0 : ntohs(address.sin_port);
}

/* Wait for a connection, with the group's own work done meanwhile. Returns 0 or -errno. */
static int wait_for_connection(struct sticky_group *group, int listening)
{
	struct pollfd polled[] = {{.fd = listening, .events = POLLIN},
				  {.fd = sticky_group_fd(group), .events = POLLIN}};
	int fd;

	while (poll(polled, 2, WAIT_MS) > 0) {
		if (polled[1].revents)
			sticky_group_run(group);
		if (!polled[0].revents)
			continue;
		fd = accept(listening, NULL, NULL);
		return fd < 0 ? -errno : close(fd);
	}
	return -ETIMEDOUT;
}

/* A client comes before or after the slot's worker is ready. Returns 0 or -errno. */
static int measure_hand_over(struct sticky_group *group, bool waits, double *ret_values)
{
	uint32_t client = client_of(group, 0);
	struct sticky_worker *worker;
	double begin, ready;
	int fd = -1, error = sticky_worker_open(group, 0, &worker);
	uint16_t port;

	if (error)
		return error;
	port = port_of(sticky_worker_fd(worker, 0));
	if (waits)
		fd = loopback_connect(CLIENT_V4, client, port);
	begin = now_ns();
	error = sticky_worker_ready(worker);
	ready = now_ns();
	if (!waits)
		fd = loopback_connect(CLIENT_V4, client, port);
	if (!error)
		error = wait_for_connection(group, sticky_worker_fd(worker, 0));
	ret_values[READY_US] = (ready - begin) / 1e3;
	ret_values[waits ? WAITING_US : NEW_US] = (now_ns() - begin) / 1e3;
	close(fd);
	sticky_worker_close(worker);
	return error;
}

static void measure_lookups(struct sticky_group *group, uint32_t lookups, double *ret_values)
{
	static struct sockaddr_storage clients[4096];
	struct sticky_where where = {.size = sizeof(where)};
	const uint32_t count = sizeof(clients) / sizeof(clients[0]);
	double begin;
	uint32_t i;

	for (i = 0; i < count; i++)
		loopback_client_address(CLIENT_V4, i, &clients[i]);
	begin = now_ns();
	for (i = 0; i < lookups; i++)
		sink = sticky_group_slot_of(group, (void *)&clients[i % count]);
	ret_values[LOOKUP_NS] = (now_ns() - begin) / lookups;
	begin = now_ns();
	for (i = 0; i < lookups / 10; i++)
		sink = sticky_group_where(group, (void *)&clients[i % count], &where);
	ret_values[WHERE_NS] = (now_ns() - begin) / (lookups / 10.0);
}

/*
 * Listen, and see how much larger the kernel's memory is then. Sockets of our own are opened
 * before: they use up what the kernel's caches have free, which would hide a part of it.
 */
static int measure_listen(struct sticky_group *group, double *ret_values)
{
	int fillers[FILLERS], error, i;
	double begin;
	long slab;

	for (i = 0; i < FILLERS; i++)
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	slab = kernel_memory_slab();
	begin = now_ns();
	error = sticky_group_listen(group, "127.0.0.1:0");
	ret_values[LISTEN_MS] = (now_ns() - begin) / 1e6;
	ret_values[SLAB_BYTES] = (double)(kernel_memory_slab() - slab);
	ret_values[BPF_BYTES] = (double)kernel_memory_bpf();
	for (i = 0; i < FILLERS; i++)
		close(fillers[i]);
	return error;
}

static double heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return (double)(info.uordblks + info.hblkhd);
}

static int measure_group(struct sticky_group *group, uint32_t slots, uint32_t lookups,
			 double *ret_values)
{
	static uint64_t steered[STICKY_SLOTS_LIMIT];
	struct sticky_counters counters = {.size = sizeof(counters)};
	int error = measure_listen(group, ret_values);
	double begin;

	if (!error)
		error = sticky_group_fd(group) < 0 ? -EMFILE : 0;
	if (!error)
		error = measure_hand_over(group, true, ret_values);
	if (!error)
		error = measure_hand_over(group, false, ret_values);
	measure_lookups(group, lookups, ret_values);
	begin = now_ns();
	if (!error)
		error = sticky_group_statistics(group, &counters, slots, steered);
	ret_values[COUNTERS_US] = (now_ns() - begin) / 1e3;
	ret_values[HEAP_BYTES] += heap_bytes();
	begin = now_ns();
	if (!error)
		error = sticky_group_set_slots(group,
					       slots == STICKY_SLOTS_LIMIT ? slots - 1 : slots + 1);
	ret_values[RESIZE_MS] = (now_ns() - begin) / 1e6;
	return error < 0 ? error : 0;
}

static int measure(uint32_t slots, uint32_t lookups, double *ret_values)
{
	struct sticky_group_options options = {.size = sizeof(options), .slots = slots};
	struct sticky_group *group;
	double begin;
	int error;

	usleep(SETTLE_US);
	ret_values[HEAP_BYTES] = -heap_bytes();
	begin = now_ns();
	error = sticky_group_open(&options, &group);
	if (error)
		return error;
	ret_values[OPEN_MS] = (now_ns() - begin) / 1e6;
	error = measure_group(group, slots, lookups, ret_values);
	sticky_group_close(group);
	return error;
}

static void print(uint32_t rounds)
{
	uint32_t figure, i;

	for (figure = 0; figure < FIGURE_COUNT; figure++) {
		printf("%s\"%s\":[", figure ? "," : "{", names[figure]);
		for (i = 0; i < rounds; i++)
			printf("%s%.3f", i ? "," : "", values[i][figure]);
		printf("]");
	}
	printf("}\n");
}

int main(int argc, char **argv)
{
	uint32_t slots, rounds, lookups, i;
	int error;

	if (argc != 4) {
		fprintf(stderr, "usage: library SLOTS ROUNDS LOOKUPS\n");
		return BAD_ARGUMENT;
	}
	slots = arguments_number("library", argv[1], 2, STICKY_SLOTS_LIMIT);
	rounds = arguments_number("library", argv[2], 1, ROUNDS_MAX);
	lookups = arguments_number("library", argv[3], 1000, 100000000);
	arguments_raise_descriptor_limit();
	error = loopback_enter();
	for (i = 0; i < rounds && !error; i++)
		error = measure(slots, lookups, values[i]);
	if (error) {
		fprintf(stderr, "%s\n", sticky_strerror(error));
		return error == -EPERM ? NOT_PERMITTED : 1;
	}
	print(rounds);
	return 0;
}
