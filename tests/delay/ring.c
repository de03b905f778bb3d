// SPDX-License-Identifier: MIT
#include "ring.h"

struct packet *ring_free_place(struct ring *ring)
{
	if (ring->count == ring->capacity)
		return NULL;
	return &ring->packets[(ring->first + ring->count) % ring->capacity];
}

void ring_add(struct ring *ring)
{
	ring->count++;
}

struct packet *ring_oldest(struct ring *ring)
{
	return ring->count ? &ring->packets[ring->first] : NULL;
}

void ring_remove(struct ring *ring)
{
	ring->first = (ring->first + 1) % ring->capacity;
	ring->count--;
}
