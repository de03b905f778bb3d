/* SPDX-License-Identifier: MIT */
/* The work that is measured: hash every address of a set, find its slot, count it there. */
#ifndef STICKY_BENCH_HASHING_H
#define STICKY_BENCH_HASHING_H

#include <stdint.h>

#include "bpf/abi.h"
#include "addresses.h"

enum hash_kind {
	HASH_STICKY,	 /* ours: the kernel's address, its key, HalfSipHash, bucket, table */
	HASH_DJB2,	 /* of the text, as sticky-cluster; modulo */
	HASH_DJB2_BYTES, /* of the kernel's address, which spares it most of its work; modulo */
	HASH_INT31,	 /* of the kernel's address, as sticky-session; modulo */
	HASH_COUNT
};

extern const char *const hash_names[HASH_COUNT];
/* What each of them hashes. */
extern const char *const hash_inputs[HASH_COUNT];

struct hashing {
	uint32_t workers;
	struct sticky_settings settings;
	struct sticky_table table;
	int32_t int31_seed;
};

/* For a number of workers: 1 to STICKY_SLOTS_MAX. */
void hashing_init(struct hashing *hashing, uint32_t workers);

/* Seed those that have one with the n-th of a fixed series of seeds. */
void hashing_seed(struct hashing *hashing, uint32_t n);

/* Count the addresses of each slot: `workers` elements, which are added to. */
void hashing_count(const struct hashing *hashing, enum hash_kind kind,
		   const struct address_set *set, uint32_t *counts);

/* Our hash of each address of a set: ret_hashes has an element for each. */
void hashing_key_hashes(const struct hashing *hashing, const struct address_set *set,
			uint32_t *ret_hashes);

#endif
