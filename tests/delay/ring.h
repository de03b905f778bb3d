/* SPDX-License-Identifier: MIT */
/* Packets on their way in one direction: a ring of a fixed number of places, in order. Pure. */
#ifndef TESTS_DELAY_RING_H
#define TESTS_DELAY_RING_H

#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 1500 /* bytes: the MTU of a TUN device */

struct packet {
	int64_t due_ns; /* when it leaves the line, by CLOCK_MONOTONIC */
	size_t length;	/* bytes */
	unsigned char data[PACKET_MAX];
};

struct ring {
	struct packet *packets; /* `capacity` places; the caller's memory */
	uint32_t capacity;
	uint32_t first; /* the place of the oldest packet */
	uint32_t count;
};

/* Returns the place for the next packet, or NULL if the ring is full. */
struct packet *ring_free_place(struct ring *ring);

/* Add the packet that the caller has written to the place that ring_free_place() returned. */
void ring_add(struct ring *ring);

/* Returns the packet that was added first, or NULL if the ring is empty. */
struct packet *ring_oldest(struct ring *ring);

/* Remove the oldest packet. The ring must not be empty. */
void ring_remove(struct ring *ring);

#endif
