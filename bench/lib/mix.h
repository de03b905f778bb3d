/* SPDX-License-Identifier: MIT */
/*
 * Numbers that look random, but are the same in every run: bijective mixes of a counter.
 * bench/node/chance.js has mix32(), too.
 */
#ifndef STICKY_BENCH_MIX_H
#define STICKY_BENCH_MIX_H

#include <stdint.h>

/* Mix 32 bits: two rounds of https://github.com/skeeto/hash-prospector. */
static inline uint32_t mix32(uint32_t x)
{
	x = (x ^ x >> 16) * 0x21f0aaadu;
	x = (x ^ x >> 15) * 0x735a2d97u;
	return x ^ x >> 15;
}

/* Mix 64 bits: the finalizer of splitmix64. */
static inline uint64_t mix64(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

#endif
