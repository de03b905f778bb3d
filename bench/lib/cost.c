// SPDX-License-Identifier: MIT
#include "cost.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "listening.h"
#include "stray.h"

#define LIBRARY_PROGRAM "sticky_select" /* bpf/sticky.bpf.c */
#define BATCH		64		/* connections open at a time: far below the backlog */
#define ACCEPT_MS	5000		/* time after which a batch has failed */

const char *const cost_drive_names[DRIVE_COUNT] = {
	[DRIVE_CONNECTIONS] = "connections", [DRIVE_PACKETS] = "packets"};

/* One of the two groups: its sockets, and an epoll instance for all of them. */
struct side {
	struct listening *listening;
	int epoll;
	uint32_t next_client;
};

struct cost_bench {
	struct cost *cost;
	struct side sticky, empty;
	int empty_program;
	int raw;
};

static int watch(struct side *side)
{
	uint32_t i;

	side->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (side->epoll < 0)
		return -errno;
	for (i = 0; i < side->listening->count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = side->listening->fd[i]};

		if (epoll_ctl(side->epoll, EPOLL_CTL_ADD, event.data.fd, &event))
			return -errno;
	}
	return 0;
}

static int open_empty(struct cost_bench *bench)
{
	int error;

	bench->empty_program = program_load_empty();
	if (bench->empty_program < 0)
		return bench->empty_program;
	error = listening_open_plain(bench->cost->family, bench->cost->slots, bench->empty_program,
				     &bench->empty.listening);
	return error ? error : watch(&bench->empty);
}

static int open_sticky(struct cost_bench *bench)
{
	int error = listening_open_sticky(bench->cost->family, bench->cost->slots,
					  &bench->cost->options, &bench->sticky.listening);

	return error ? error : watch(&bench->sticky);
}

int cost_open(struct cost *cost, struct cost_bench **ret_bench)
{
	struct cost_bench *bench = calloc(1, sizeof(*bench));
	int error;

	if (!bench)
		return -ENOMEM;
	bench->cost = cost;
	bench->empty_program = bench->sticky.epoll = bench->empty.epoll = -1;
	bench->raw = stray_open(cost->family);
	error = bench->raw < 0 ? bench->raw : open_empty(bench);
	if (!error)
		error = open_sticky(bench);
	if (error) {
		cost_close(bench);
		return error;
	}
	*ret_bench = bench;
	return 0;
}

static void close_side(struct side *side)
{
	listening_close(side->listening);
	if (side->epoll >= 0)
		close(side->epoll);
}

void cost_close(struct cost_bench *bench)
{
	if (!bench)
		return;
	close_side(&bench->sticky);
	close_side(&bench->empty);
	if (bench->empty_program >= 0)
		close(bench->empty_program);
	if (bench->raw >= 0)
		close(bench->raw);
	free(bench);
}

/*
 * Accept all connections of a batch, at whichever socket they arrived. Returns 0, -ETIMEDOUT (some
 * did not arrive) or another -errno.
 */
static int accept_all(struct side *side, uint32_t wanted)
{
	struct epoll_event events[BATCH];

	while (wanted) {
		int count = epoll_wait(side->epoll, events, BATCH, ACCEPT_MS), i;

		if (count <= 0)
			return count ? -errno : -ETIMEDOUT;
		for (i = 0; i < count; i++) {
			int fd = accept4(events[i].data.fd, NULL, NULL, SOCK_CLOEXEC);

			if (fd < 0)
				return -errno;
			close(fd);
			wanted--;
		}
	}
	return 0;
}

static int drive_batch(const struct cost *cost, struct side *side, uint32_t count)
{
	int clients[BATCH], error = 0;
	uint32_t opened = 0;

	while (opened < count) {
		int fd = loopback_connect(cost->family, side->next_client++, side->listening->port);

		if (fd < 0) {
			error = fd;
			break;
		}
		clients[opened++] = fd;
	}
	if (!error)
		error = accept_all(side, count);
	while (opened)
		close(clients[--opened]);
	return error;
}

static int drive_connections(const struct cost *cost, struct side *side, uint32_t runs)
{
	int error = 0;

	while (!error && runs) {
		uint32_t count = runs < BATCH ? runs : BATCH;

		error = drive_batch(cost, side, count);
		runs -= count;
	}
	return error;
}

static int drive_packets(const struct cost_bench *bench, struct side *side, uint32_t runs)
{
	int error = 0;

	while (!error && runs--)
		error = stray_send(bench->raw, bench->cost->family, side->next_client++,
				   side->listening->port);
	return error;
}

static int read_stats(const struct cost_bench *bench, const struct side *side,
		      struct program_stats *ret_stats)
{
	if (side == &bench->empty)
		return program_stats_read(bench->empty_program, ret_stats);
	return program_stats_read_own(LIBRARY_PROGRAM, ret_stats);
}

/*
 * Measure the nanoseconds a run. Fewer runs than driven are an error: something else would be
 * measured.
 */
static int measure(struct cost_bench *bench, struct side *side, enum cost_drive drive,
		   uint32_t runs, double *ret_ns)
{
	struct program_stats before, after;
	uint64_t ran;
	int error;

	error = read_stats(bench, side, &before);
	if (!error)
		error = drive == DRIVE_PACKETS ? drive_packets(bench, side, runs)
					       : drive_connections(bench->cost, side, runs);
	if (!error)
		error = read_stats(bench, side, &after);
	if (error)
		return error;
	ran = after.run_count - before.run_count;
	if (ran < runs)
		return -ENODATA;
	*ret_ns = (double)(after.run_time_ns - before.run_time_ns) / (double)ran;
	if (side == &bench->sticky)
		bench->cost->program = after;
	return 0;
}

static int measure_both(struct cost_bench *bench, enum cost_drive drive, uint32_t runs)
{
	struct cost_series *series = &bench->cost->series[drive];
	double empty, sticky;
	int error;

	error = measure(bench, &bench->empty, drive, runs, &empty);
	if (!error)
		error = measure(bench, &bench->sticky, drive, runs, &sticky);
	if (error)
		return error;
	sample_add(&series->empty, empty);
	sample_add(&series->sticky, sticky);
	sample_add(&series->net, sticky - empty);
	return 0;
}

int cost_round(struct cost_bench *bench, uint32_t runs)
{
	int drive, error = 0;

	for (drive = 0; !error && drive < DRIVE_COUNT; drive++)
		error = measure_both(bench, (enum cost_drive)drive, runs);
	return error;
}
