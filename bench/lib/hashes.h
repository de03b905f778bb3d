/* SPDX-License-Identifier: MIT */
/*
 * The hashes that ours is compared with. Their results are bit for bit those of the modules. They
 * are in a header, as ours is, so that the compiler sees all of them in the loop that is measured.
 */
#ifndef STICKY_BENCH_HASHES_H
#define STICKY_BENCH_HASHES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The hash of npm's string-hash, which sticky-cluster applies to the text of an address. */
static inline uint32_t hash_djb2(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint32_t hash = 5381;

	while (length)
		hash = hash * 33 ^ bytes[--length];
	return hash;
}

/* JavaScript's shifts take the low 32 bits as a signed number. */
static inline int64_t int31_left(int64_t x, unsigned int n)
{
	return (int32_t)((uint32_t)x << n);
}

static inline int64_t int31_right_xor(int64_t x, unsigned int n)
{
	return (int32_t)x ^ (int32_t)x >> n;
}

/*
 * The hash of sticky-session 1.1.2, which applies it to the bytes of an address. Its numbers are
 * JavaScript's: sums do not wrap, and a remainder has the sign of the dividend.
 */
static inline uint32_t hash_int31(const void *data, size_t length, int32_t seed)
{
	const int64_t limit = INT64_C(1) << 31;
	const uint8_t *bytes = data;
	int64_t hash = seed;
	size_t i;

	for (i = 0; i < length; i++) {
		hash = (hash + bytes[i]) % limit;
		hash = (hash + int31_left(hash, 10)) % limit;
		hash = int31_right_xor(hash, 6);
	}
	hash = (hash + int31_left(hash, 3)) % limit;
	hash = int31_right_xor(hash, 11);
	hash = (hash + int31_left(hash, 15)) % limit;
	return (uint32_t)hash;
}

/*
 * Compare results with those of the modules. Returns the name of one that differs; NULL: none does.
 */
static inline const char *hashes_find_wrong(void)
{
	static const struct {
		const char *what;
		const char *text; /* for djb2; NULL: int31 of the bytes, seed 0 */
		uint8_t bytes[16];
		size_t length;
		uint32_t hash;
	} known[] = {
		{"djb2 of 127.0.0.1", "127.0.0.1", {0}, 0, 340519950u},
		{"djb2 of 1.2.3.4", "1.2.3.4", {0}, 0, 3534154447u},
		{"djb2 of ::1", "::1", {0}, 0, 193359316u},
		{"int31 of 1.2.3.4", NULL, {1, 2, 3, 4}, 4, 1010056299u},
		{"int31 of 127.0.0.1", NULL, {127, 0, 0, 1}, 4, 1966403761u},
		{"int31 of 2001:db8::1", NULL, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, 16, 2499026482u},
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint32_t hash = known[i].text ? hash_djb2(known[i].text, strlen(known[i].text))
					      : hash_int31(known[i].bytes, known[i].length, 0);

		if (hash != known[i].hash)
			return known[i].what;
	}
	return NULL;
}

#endif
