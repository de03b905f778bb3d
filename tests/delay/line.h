/* SPDX-License-Identifier: MIT */
/* One direction of the line: packets go from one device to the other, each after the delay. */
#ifndef TESTS_DELAY_LINE_H
#define TESTS_DELAY_LINE_H

#include <stdint.h>

#include "ring.h"

struct line {
	struct ring ring;
	int from, to; /* descriptors of the devices */
	int64_t delay_ns;
	uint64_t passed;
	uint64_t dropped; /* the ring was full, or the device refused the packet */
	int64_t late_ns;  /* how much later than its time a packet left, at most */
};

/* Allocate the ring for this many packets. A failure ends the program. */
void line_open(struct line *line, uint32_t packets);
void line_close(struct line *line);

/* Read the packets that the first device sends. If there is no room for a packet, it is dropped. */
void line_receive(struct line *line);

/* Write the packets whose time has come to the other device. */
void line_send(struct line *line);

/* Returns when the next packet is due, by CLOCK_MONOTONIC, or INT64_MAX if there is none. */
int64_t line_next_ns(struct line *line);

#endif
