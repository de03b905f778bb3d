/* SPDX-License-Identifier: MIT */
/*
 * Computes how long the members of a queue have waited, from samples of its length. Pure.
 *
 * Arrivals are numbered, and a sample records how many there had been until then. A member that is
 * counted in a sample has waited for at least the age of that sample.
 */
#ifndef STICKY_HANDOFF_QUEUE_AGE_H
#define STICKY_HANDOFF_QUEUE_AGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/histogram.h"

struct queue_age {
	uint64_t *arrivals; /* a ring of samples: each is the number of arrivals until then */
	uint64_t *at_ms;
	uint32_t room;
	uint32_t first;
	uint32_t count;
	uint64_t removed; /* arrivals that have left the queue */
};

/*
 * Make an empty queue. room: number of samples that can be pending: budget / delay + 2. Returns 0
 * or -ENOMEM.
 */
int queue_age_init(struct queue_age *ages, uint32_t room);

void queue_age_fini(struct queue_age *ages);

/*
 * Add a sample of the queue's present length. If the ring is full, the last sample is replaced. Its
 * members then count as younger than they are, and are due later, never too early.
 */
void queue_age_sample(struct queue_age *ages, uint64_t now_ms, uint32_t length);

/* Returns the number of members at the front of the queue that have waited for budget_ms. */
uint32_t queue_age_due(struct queue_age *ages, uint64_t now_ms, uint64_t budget_ms);

/*
 * Returns the milliseconds until the first member has waited for budget_ms; UINT64_MAX: no member
 * is known.
 */
uint64_t queue_age_wait(const struct queue_age *ages, uint64_t now_ms, uint64_t budget_ms);

/*
 * Count in `waits` how long each member has waited since the first sample that counted it. The real
 * wait is longer by up to one interval between samples. Costs time proportional to the samples.
 */
void queue_age_measure(const struct queue_age *ages, uint64_t now_ms, struct histogram *waits);

/* Count in `waits` the wait of the first member only. Does nothing if no member is known. */
void queue_age_measure_first(const struct queue_age *ages, uint64_t now_ms,
			     struct histogram *waits);

/* Note that the first member has left the queue. */
void queue_age_remove(struct queue_age *ages);

#endif
