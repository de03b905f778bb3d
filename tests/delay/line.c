// SPDX-License-Identifier: MIT
#include "line.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "failure.h"

/* limit for the packets read in one turn, so that the other direction is not delayed */
#define BURST_MAX 256

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void line_open(struct line *line, uint32_t packets)
{
	line->ring = (struct ring){.packets = calloc(packets, sizeof(struct packet)),
				   .capacity = packets};
	if (!line->ring.packets)
		failure_exit(EXIT_DROPPED, "ring");
}

void line_close(struct line *line)
{
	free(line->ring.packets);
	close(line->from);
}

void line_receive(struct line *line)
{
	struct packet lost;
	int i;

	for (i = 0; i < BURST_MAX; i++) {
		struct packet *place = ring_free_place(&line->ring);
		struct packet *packet = place ? place : &lost;
		ssize_t got = read(line->from, packet->data, sizeof(packet->data));

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got < 0)
			failure_exit(EXIT_DROPPED, "read");
		packet->length = (size_t)got;
		packet->due_ns = now_ns() + line->delay_ns;
		if (place)
			ring_add(&line->ring);
		else
			line->dropped++;
	}
}

void line_send(struct line *line)
{
	int64_t now = now_ns();
	struct packet *packet;

	while ((packet = ring_oldest(&line->ring)) && packet->due_ns <= now) {
		if (write(line->to, packet->data, packet->length) == (ssize_t)packet->length)
			line->passed++;
		else
			line->dropped++;
		if (now - packet->due_ns > line->late_ns)
			line->late_ns = now - packet->due_ns;
		ring_remove(&line->ring);
	}
}

int64_t line_next_ns(struct line *line)
{
	const struct packet *packet = ring_oldest(&line->ring);

	return packet ? packet->due_ns : INT64_MAX;
}
