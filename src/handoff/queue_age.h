/* SPDX-License-Identifier: MIT */
/*
 * How long those in a queue have waited, from samples of its length. Pure.
 *
 * Arrivals are numbered. A sample says how many had arrived by then; whoever was counted by a
 * sample that is `budget` old has waited at least that long, and nobody who arrived before the
 * sample ahead of it is left.
 */
#ifndef STICKY_HANDOFF_QUEUE_AGE_H
#define STICKY_HANDOFF_QUEUE_AGE_H

#include <stdbool.h>
#include <stdint.h>

struct queue_age {
	uint64_t *arrivals; /* a ring of samples: arrivals by then */
	uint64_t *at_ms;
	uint32_t room;
	uint32_t first;
	uint32_t count;
	uint64_t removed; /* arrivals that have left the queue */
};

/* room: samples that may be pending at a time: budget / delay + 2. Returns 0 or -ENOMEM. */
int queue_age_init(struct queue_age *ages, uint32_t room);

void queue_age_fini(struct queue_age *ages);

/*
 * The queue has this length now. Where the ring is full the last sample is made younger: those
 * it counts are answered later, never too early.
 */
void queue_age_sample(struct queue_age *ages, uint64_t now_ms, uint32_t length);

/* How many at the head of the queue have waited for budget_ms by now. */
uint32_t queue_age_due(struct queue_age *ages, uint64_t now_ms, uint64_t budget_ms);

/* How long until the head of the queue has waited for budget_ms; UINT64_MAX: nobody is known. */
uint64_t queue_age_wait(const struct queue_age *ages, uint64_t now_ms, uint64_t budget_ms);

/* One has left the head of the queue. */
void queue_age_remove(struct queue_age *ages);

#endif
