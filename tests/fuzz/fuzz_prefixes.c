// SPDX-License-Identifier: MIT
/*
 * Address ranges as text and as bytes. A range that is read, written and read again is the same. A
 * set contains an address exactly if one of its ranges does.
 *
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc -Iinclude \
 *     tests/fuzz/fuzz_prefixes.c src/common/prefixes.c src/common/units.c
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/prefixes.h"

#define LIST_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool is_so)
{
	if (!is_so)
		abort();
}

static bool holds(const struct sticky_prefix *prefix, const uint8_t address[16])
{
	unsigned int bit;

	for (bit = 0; bit < prefix->bits; bit++)
		if ((prefix->address[bit / 8] ^ address[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

static void check_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), host[INET6_ADDRSTRLEN], again[INET6_ADDRSTRLEN + 4];
	struct sticky_prefix first, second;
	unsigned int bit;

	expect(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (!prefix_parse(text, &first)) {
		expect(first.bits <= 128);
		for (bit = first.bits; bit < 128; bit++)
			expect(!(first.address[bit / 8] & 0x80 >> bit % 8));
		inet_ntop(AF_INET6, first.address, host, sizeof(host));
		snprintf(again, sizeof(again), "%s/%u", host, first.bits);
		expect(!prefix_parse(again, &second) && !memcmp(&first, &second, sizeof(first)));
	}
	free(text);
}

static void check_address(const struct prefixes *prefixes, const struct sticky_prefix *list,
			  size_t count, const uint8_t bytes[16])
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	bool expected = false;
	size_t i;

	memcpy(&v6.sin6_addr, bytes, 16);
	memcpy(&v4.sin_addr, bytes + 12, 4);
	for (i = 0; i < count; i++)
		expected = expected || holds(&list[i], bytes);
	expect(prefixes_contain(prefixes, (const void *)&v6) == expected);
	if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
		return;
	expect(prefixes_contain(prefixes, (const void *)&v4) == expected);
	expect(prefix_is_public((const void *)&v4) == prefix_is_public((const void *)&v6));
}

/* Check a set. The data are ranges of 17 bytes each, then addresses of 16 bytes each. */
static void check_set(const uint8_t *data, size_t size)
{
	struct sticky_prefix list[LIST_MAX];
	struct prefixes prefixes;
	size_t count = 0, i;

	for (; count < LIST_MAX && size >= 17 && data[0] % 130 != 129; data += 17, size -= 17) {
		list[count].bits = data[0] % 130;
		memcpy(list[count++].address, data + 1, 16);
	}
	expect(!prefixes_init(&prefixes, list, count));
	expect(prefixes.count <= count);
	for (i = 0; i < count; i++)
		check_address(&prefixes, list, count, list[i].address);
	for (; size >= 16; data += 16, size -= 16)
		check_address(&prefixes, list, count, data);
	prefixes_fini(&prefixes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && data[0] % 2)
		check_set(data + 1, size - 1);
	else if (size)
		check_text(data + 1, size - 1);
	return 0;
}
