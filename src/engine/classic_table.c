// SPDX-License-Identifier: MIT
#include "engine/classic_table.h"

#include "bpf/abi.h"

/* A tree of more intervals would not fit into a program. */
#define INTERVALS_MAX 4096
#define FAR	      255 /* the most instructions that a conditional jump can skip */

/* The intervals of a table, in order: the n-th one begins at start[n]. */
struct intervals {
	uint32_t start[INTERVALS_MAX];
	uint16_t index[INTERVALS_MAX];
	uint32_t count;
};

void classic_emit(struct classic_code *code, struct sock_filter instruction)
{
	if (code->length < code->room)
		code->items[code->length] = instruction;
	code->length++;
}

void classic_land(struct classic_code *code, uint32_t at)
{
	if (at < code->room)
		code->items[at].k = code->length - at - 1;
}

/* Find the intervals of a table. Returns their number, even if only INTERVALS_MAX are written. */
static uint32_t find_intervals(const uint16_t *slots, const uint16_t *index,
			       struct intervals *ret_intervals)
{
	uint32_t bucket, count = 0;

	for (bucket = 0; bucket < STICKY_BUCKETS; bucket++) {
		if (bucket && slots[bucket] == slots[bucket - 1])
			continue;
		if (count < INTERVALS_MAX) {
			ret_intervals->start[count] = bucket;
			ret_intervals->index[count] = index[slots[bucket]];
		}
		count++;
	}
	ret_intervals->count = count < INTERVALS_MAX ? count : INTERVALS_MAX;
	return count;
}

/* Returns the number of instructions of a tree of `count` intervals. */
static uint32_t tree_size(uint32_t count)
{
	uint32_t left = count / 2, size;

	if (count == 1)
		return 1;
	size = tree_size(left);
	return 1 + (size > FAR) + size + tree_size(count - left);
}

/*
 * Emit the tree of `count` intervals from `first` on. The depth of the recursion is the logarithm
 * of `count`.
 */
static void emit_tree(struct classic_code *code, const struct intervals *intervals, uint32_t first,
		      uint32_t count)
{
	uint32_t left = count / 2, size;
	struct sock_filter test = {.code = BPF_JMP | BPF_JGE | BPF_K};

	if (count == 1) {
		classic_emit(code, (struct sock_filter){.code = BPF_RET | BPF_K,
							.k = intervals->index[first]});
		return;
	}
	size = tree_size(left);
	test.k = intervals->start[first + left];
	if (size <= FAR) {
		test.jt = (uint8_t)size;
		classic_emit(code, test);
	} else {
		/* The right half begins too far away for a conditional jump. */
		test.jf = 1;
		classic_emit(code, test);
		classic_emit(code, (struct sock_filter){.code = BPF_JMP | BPF_JA, .k = size});
	}
	emit_tree(code, intervals, first, left);
	emit_tree(code, intervals, first + left, count - left);
}

void classic_table_emit(struct classic_code *code, const uint16_t *slots, const uint16_t *index)
{
	struct intervals intervals;

	if (find_intervals(slots, index, &intervals) > INTERVALS_MAX)
		code->length += INTERVALS_MAX; /* more than any program may have */
	else
		emit_tree(code, &intervals, 0, intervals.count);
}
