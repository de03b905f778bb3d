// SPDX-License-Identifier: MIT
/*
 * Addresses as workers give them to bind(): any bytes. Two that overlap have the same port, and do
 * so both ways; an address is the same as itself.
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

/* From a copy of exactly that length, so that reading on is noticed. Returns false: no address. */
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

/* Options of both, the length of the first, and both addresses. */
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
