/* SPDX-License-Identifier: MIT */
/*
 * How long the members of a queue have waited, computed from samples of its length. Pure.
 *
 * Arrivals are numbered, and a sample notes how many there had been by its time. A member that a
 * sample counts has waited at least as long as that sample is old.
 */
#ifndef STICKY_HANDOFF_QUEUE_AGE_H
#define STICKY_HANDOFF_QUEUE_AGE_H

#include <stdbool.h>
#include <stdint.h>

struct queue_age {
	uint64_t *arrivals; /* a ring of samples: arrivals until then */
	uint64_t *at_ms;
	uint32_t room;
	uint32_t first;
	uint32_t count;
	uint64_t removed; /* arrivals that have left the queue */
};

/* room: how many samples can be pending: budget / delay + 2. Returns 0 or -ENOMEM. */
int queue_age_init(struct queue_age *ages, uint32_t room);

void queue_age_fini(struct queue_age *ages);

/*
 * Add a sample: the queue has this length now. Where the ring is full the last sample is replaced,
 * so that its members are due later, and never too early.
 */
void queue_age_sample(struct queue_age *ages, uint64_t now_ms, uint32_t length);

/* How many members at the head of the queue have waited for budget_ms. */
uint32_t queue_age_due(struct queue_age *ages, uint64_t now_ms, uint64_t budget_ms);

/* Milliseconds until the first member has waited for budget_ms; UINT64_MAX: no member is known. */
uint64_t queue_age_wait(const struct queue_age *ages, uint64_t now_ms, uint64_t budget_ms);

/* The first member has left the queue. */
void queue_age_remove(struct queue_age *ages);

#endif
