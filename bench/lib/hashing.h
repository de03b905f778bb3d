/* SPDX-License-Identifier: MIT */
/*
 * The work that is measured: hash every address of a set, find its slot, and count the address
 * there.
 */
#ifndef STICKY_BENCH_HASHING_H
#define STICKY_BENCH_HASHING_H

#include <stdint.h>

#include "bpf/abi.h"
#include "addresses.h"

enum hash_kind {
	HASH_STICKY,	 /* ours: the kernel's address, its key, HalfSipHash, bucket, table */
	HASH_DJB2,	 /* of the text, as in sticky-cluster; modulo */
	HASH_DJB2_BYTES, /* of the kernel's address, which is much shorter; modulo */
	HASH_INT31,	 /* of the kernel's address, as in sticky-session; modulo */
	HASH_COUNT
};

extern const char *const hash_names[HASH_COUNT];
/* The input of each hash, in words. */
extern const char *const hash_inputs[HASH_COUNT];

struct hashing {
	uint32_t workers;
	struct sticky_settings settings;
	struct sticky_table table;
	int32_t int31_seed;
};

/* Prepare for a number of workers: 1 to STICKY_SLOTS_MAX. */
void hashing_init(struct hashing *hashing, uint32_t workers);

/* Seed the hashes that have a seed with the n-th of a fixed series of seeds. */
void hashing_seed(struct hashing *hashing, uint32_t n);

/* Count the addresses of each slot. `counts` has an element for each worker, which is added to. */
void hashing_count(const struct hashing *hashing, enum hash_kind kind,
		   const struct address_set *set, uint32_t *counts);

/* Write our hash of each address of a set: ret_hashes has an element for each. */
void hashing_key_hashes(const struct hashing *hashing, const struct address_set *set,
			uint32_t *ret_hashes);

#endif
