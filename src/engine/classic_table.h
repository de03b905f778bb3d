/* SPDX-License-Identifier: MIT */
/* Writes the code of a classic BPF program, and its last part: the search for a bucket. Pure. */
#ifndef STICKY_ENGINE_CLASSIC_TABLE_H
#define STICKY_ENGINE_CLASSIC_TABLE_H

#include <linux/filter.h>
#include <stdint.h>

/* A program while it is written. */
struct classic_code {
	struct sock_filter *items;
	uint32_t room;
	uint32_t length; /* may exceed `room`: instructions that do not fit only count */
};

/* Append an instruction. */
void classic_emit(struct classic_code *code, struct sock_filter instruction);

/*
 * Let an unconditional jump go to the instruction that is emitted next.
 *
 * at  place of the jump
 */
void classic_land(struct classic_code *code, uint32_t at);

/*
 * Append the search for a bucket, which is in A: a binary tree over the intervals of the table.
 * Each leaf of the tree returns an index.
 *
 * slots  STICKY_BUCKETS elements
 * index  index to return for each slot in `slots`
 */
void classic_table_emit(struct classic_code *code, const uint16_t *slots, const uint16_t *index);

#endif
