// SPDX-License-Identifier: MIT
#include "addresses.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mix.h"

const char *const address_set_names[SET_COUNT] = {
	[SET_RANDOM] = "random",
	[SET_SEQUENTIAL_V4] = "sequential_v4",
	[SET_SEQUENTIAL_64] = "sequential_64",
	[SET_ONE_24] = "one_24",
};

/* The address of a number. */
typedef void make_fn(uint32_t number, struct binary_address *ret_address);

static void make_v4(uint32_t host_order, struct binary_address *ret_address)
{
	ret_address->word[0] = htonl(host_order);
	ret_address->length = 4;
}

static void make_random(uint32_t number, struct binary_address *ret_address)
{
	uint32_t first = 4 * number + 1, i;

	if (number % 2 == 0) {
		make_v4(mix32(first), ret_address);
		return;
	}
	for (i = 0; i < 4; i++)
		ret_address->word[i] = htonl(mix32(first + i));
	ret_address->length = 16;
}

static void make_sequential_v4(uint32_t number, struct binary_address *ret_address)
{
	make_v4(0x0a000000 + number, ret_address);
}

static void make_sequential_64(uint32_t number, struct binary_address *ret_address)
{
	*ret_address = (struct binary_address){
		.word = {htonl(0x20010db8), htonl(number), 0, htonl(1)}, .length = 16};
}

static void make_one_24(uint32_t number, struct binary_address *ret_address)
{
	make_v4(0xc0000200 + number, ret_address);
}

static make_fn *const makers[SET_COUNT] = {
	[SET_RANDOM] = make_random,
	[SET_SEQUENTIAL_V4] = make_sequential_v4,
	[SET_SEQUENTIAL_64] = make_sequential_64,
	[SET_ONE_24] = make_one_24,
};

static void write_text(const struct binary_address *address, struct text_address *ret_text)
{
	inet_ntop(address->length == 4 ? AF_INET : AF_INET6, address->word, ret_text->text,
		  sizeof(ret_text->text));
	ret_text->length = (uint8_t)strlen(ret_text->text);
}

int address_set_open(enum address_set_kind kind, uint32_t count, struct address_set *ret_set)
{
	struct address_set set = {.count = kind == SET_ONE_24 ? 256 : count};
	uint32_t i;

	set.binary = calloc(set.count, sizeof(*set.binary));
	set.text = calloc(set.count, sizeof(*set.text));
	if (!set.binary || !set.text) {
		address_set_close(&set);
		return -ENOMEM;
	}
	for (i = 0; i < set.count; i++) {
		makers[kind](i, &set.binary[i]);
		write_text(&set.binary[i], &set.text[i]);
	}
	*ret_set = set;
	return 0;
}

void address_set_close(struct address_set *set)
{
	free(set->binary);
	free(set->text);
	*set = (struct address_set){0};
}
