// SPDX-License-Identifier: MIT
/*
 * Addresses that workers give to bind(): any bytes. If two addresses overlap, they have the same
 * port, and overlap in both directions. An address is the same as itself.
 *
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc \
 *     tests/fuzz/fuzz_bind_address.c src/bind/bind_address.c
 */
#include <stdlib.h>
#include <string.h>

#include "bind/bind_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool is_so)
{
	if (!is_so)
		abort();
}

/*
 * Read an address from a copy of exactly this length, so that AddressSanitizer sees a read beyond
 * the end. Returns false if it is not an address.
 */
static bool read(const uint8_t *data, size_t length, int options, struct bind_address *ret_address)
{
	uint8_t *copy = malloc(length);
	bool is_address;

	expect(copy || !length);
	if (length)
		memcpy(copy, data, length);
	is_address = !bind_address_read(copy, length, options & 1, options & 2, ret_address);
	free(copy);
	return is_address;
}

static void check(const struct bind_address *a, const struct bind_address *b)
{
	enum bind_overlap there = bind_address_compare(a, b), back = bind_address_compare(b, a);
	char text[BIND_ADDRESS_TEXT_SIZE];

	expect((there == BIND_OVERLAP_NONE) == (back == BIND_OVERLAP_NONE));
	expect((there == BIND_OVERLAP_SAME) == (back == BIND_OVERLAP_SAME));
	expect((there == BIND_OVERLAP_WIDER) == (back == BIND_OVERLAP_NARROWER));
	expect(there == BIND_OVERLAP_NONE || a->port == b->port);
	expect(bind_address_compare(a, a) == BIND_OVERLAP_SAME);
	expect(bind_address_find(a, b, 1, 0) == (there == BIND_OVERLAP_NONE ? -1 : 0));
	bind_address_format(a, text);
	expect(strlen(text) < sizeof(text) && strchr(text, ':'));
}

/*
 * The input: a byte with the options of both addresses, a byte with the length of the first
 * address, then both addresses.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bind_address a, b;
	size_t length;

	if (size < 2)
		return 0;
	length = data[1] < size - 2 ? data[1] : size - 2;
	if (read(data + 2, length, data[0], &a) &&
	    read(data + 2 + length, size - 2 - length, data[0] >> 2, &b))
		check(&a, &b);
	return 0;
}
