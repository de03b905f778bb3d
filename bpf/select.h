/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Computes a client's bucket from its address: key, hash, bucket, probes.
 *
 * This is pure C that calls nothing. It is compiled into the BPF program and into the library: the
 * library therefore computes the same slot as the kernel, and unit tests run the same code as the
 * kernel.
 */
#ifndef STICKY_BPF_SELECT_H
#define STICKY_BPF_SELECT_H

#include "abi.h"

/* A client's address under the mask: 1 word for IPv4, 4 for IPv6, network order. */
struct sticky_key {
	__u32 word[4];
	__u32 words;
};

static inline __attribute__((always_inline)) __u32 sticky_rotl(__u32 x, unsigned int n)
{
	return x << n | x >> (32 - n);
}

/* Convert between host order and little-endian, which the words of the hash's input are. */
static inline __attribute__((always_inline)) __u32 sticky_le32(__u32 x)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap32(x);
#else
	return x;
#endif
}

static inline __attribute__((always_inline)) __u32 sticky_be32(__u32 x)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return x;
#else
	return __builtin_bswap32(x);
#endif
}

/* One SipRound of HalfSipHash. */
static inline __attribute__((always_inline)) void sticky_sip_round(__u32 v[4])
{
	v[0] += v[1];
	v[1] = sticky_rotl(v[1], 5) ^ v[0];
	v[0] = sticky_rotl(v[0], 16);
	v[2] += v[3];
	v[3] = sticky_rotl(v[3], 8) ^ v[2];
	v[0] += v[3];
	v[3] = sticky_rotl(v[3], 7) ^ v[0];
	v[2] += v[1];
	v[1] = sticky_rotl(v[1], 13) ^ v[2];
	v[2] = sticky_rotl(v[2], 16);
}

/*
 * Compute HalfSipHash-1-3 of `words` 32-bit words, as the bytes that they are in memory. The hash
 * has a secret key, so that a client can't choose its bucket. It is short enough to compute for
 * each SYN. `words` is a constant at every call in the program, so that the loop is unrolled there.
 * https://github.com/veorq/SipHash; Linux calls the same function hsiphash on 32-bit machines.
 */
static inline __attribute__((always_inline)) __u32 sticky_halfsiphash13(const __u32 seed[2],
									const __u32 *word,
									__u32 words)
{
	__u32 v[4] = {seed[0], seed[1], 0x6c796765u ^ seed[0], 0x74656462u ^ seed[1]};
	__u32 last = (words * 4) << 24;
	__u32 i;

	for (i = 0; i < words; i++) {
		__u32 m = sticky_le32(word[i]);

		v[3] ^= m;
		sticky_sip_round(v);
		v[0] ^= m;
	}
	v[3] ^= last;
	sticky_sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sticky_sip_round(v);
	sticky_sip_round(v);
	sticky_sip_round(v);
	return v[1] ^ v[3];
}

/* Returns the mask of the first `prefix` bits of a word of an address, in network order. */
static inline __attribute__((always_inline)) __u32 sticky_prefix_mask(__u32 prefix)
{
	if (prefix == 0)
		return 0;
	if (prefix >= 32)
		return 0xffffffffu;
	return sticky_be32(0xffffffffu << (32 - prefix));
}

/* Compute the key of an IPv4 address (network order). */
static inline __attribute__((always_inline)) void sticky_key_v4(
	const struct sticky_settings *settings, __u32 address, struct sticky_key *ret_key)
{
	ret_key->word[0] = address & settings->v4_mask;
	ret_key->words = 1;
}

/* Returns whether an IPv6 address with these first three words is v4-mapped (::ffff:0:0/96). */
static inline __attribute__((always_inline)) int sticky_is_v4_mapped(__u32 a0, __u32 a1, __u32 a2)
{
	return !(a0 | a1) && a2 == sticky_be32(0xffffu);
}

/*
 * Compute the key of an IPv6 address (four words, network order). A v4-mapped address
 * (::ffff:0:0/96) gets the key of its IPv4 address: a client thus has the same slot whether it
 * comes to 0.0.0.0 or to a dual-stack [::].
 */
static inline __attribute__((always_inline)) void sticky_key_v6(
	const struct sticky_settings *settings, const __u32 address[4], struct sticky_key *ret_key)
{
	if (sticky_is_v4_mapped(address[0], address[1], address[2])) {
		sticky_key_v4(settings, address[3], ret_key);
		return;
	}
	ret_key->word[0] = address[0] & settings->v6_mask[0];
	ret_key->word[1] = address[1] & settings->v6_mask[1];
	ret_key->word[2] = address[2] & settings->v6_mask[2];
	ret_key->word[3] = address[3] & settings->v6_mask[3];
	ret_key->words = 4;
}

/* Compute the hash of a key. Its low 16 bits are the bucket; the other bits choose the probes. */
static inline __attribute__((always_inline)) __u32 sticky_key_hash(
	const struct sticky_settings *settings, const struct sticky_key *key)
{
	if (key->words == 1)
		return sticky_halfsiphash13(settings->hash_seed, key->word, 1);
	return sticky_halfsiphash13(settings->hash_seed, key->word, 4);
}

/* Compute the hash of the key of an IPv4 address (network order). */
static inline __attribute__((always_inline)) __u32 sticky_hash_v4(
	const struct sticky_settings *settings, __u32 address)
{
	const __u32 word[] = {address & settings->v4_mask};

	return sticky_halfsiphash13(settings->hash_seed, word, 1);
}

static inline __attribute__((always_inline)) __u32 sticky_hash_bucket(__u32 hash)
{
	return hash & (STICKY_BUCKETS - 1);
}

/* Returns the slot of a bucket. */
static inline __attribute__((always_inline)) __u32 sticky_table_slot(
	const struct sticky_table *table, __u32 bucket)
{
	__u32 block = table->blocks[bucket / STICKY_BLOCK_BUCKETS];

	if (block & STICKY_BLOCK_MIXED)
		return table->slots[bucket];
	if (bucket % STICKY_BLOCK_BUCKETS < block >> STICKY_BLOCK_FIRST_BITS)
		return block & (STICKY_SLOTS_MAX - 1);
	return block >> STICKY_BLOCK_OTHER_BITS & (STICKY_SLOTS_MAX - 1);
}

/*
 * Returns a slot to try in the place of a client's own slot, which has no socket.
 *
 * slot   the client's own slot
 * slots  at least 2
 * probe  0 to STICKY_PROBES_MAX - 1; for 0 to slots - 2 the results are different
 *
 * The result is never the client's own slot. A client always gets the same slots. The clients of
 * one slot get different ones, so that no single slot gets them all.
 */
static inline __attribute__((always_inline)) __u32 sticky_probe_slot(__u32 hash, __u32 slot,
								     __u32 slots, __u32 probe)
{
	return (slot + 1 + ((hash >> 16) + probe) % (slots - 1)) % slots;
}

#endif
