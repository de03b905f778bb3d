// SPDX-License-Identifier: MIT
#include "common/prefixes.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/units.h"

#define V4_BITS 96 /* length in bits of the prefix ::ffff:0:0/96 */

/* The first 12 bytes of every IPv4 address, as an initializer. */
#define V4_HEAD 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff

static const uint8_t v4_head[V4_BITS / 8] = {V4_HEAD};

#define DEFAULT_COUNT 8

static const struct sticky_prefix ranges[] = {
	/* trusted by default */
	{{V4_HEAD, 127}, V4_BITS + 8},
	{{[15] = 1}, 128},
	{{V4_HEAD, 10}, V4_BITS + 8},
	{{V4_HEAD, 172, 16}, V4_BITS + 12},
	{{V4_HEAD, 192, 168}, V4_BITS + 16},
	{{V4_HEAD, 169, 254}, V4_BITS + 16},
	{{0xfc}, 7},
	{{0xfe, 0x80}, 10},
	/* not public either */
	{{V4_HEAD, 0}, V4_BITS + 8},
	{{V4_HEAD, 100, 64}, V4_BITS + 10},
	{{V4_HEAD, 224}, V4_BITS + 4},
	{{0}, 128},
	{{0xff}, 8},
};

static bool read_bytes(const struct sockaddr *address, uint8_t ret_bytes[16])
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	if (address->sa_family == AF_INET6) {
		memcpy(ret_bytes, &v6->sin6_addr, 16);
		return true;
	}
	if (address->sa_family != AF_INET)
		return false;
	memcpy(ret_bytes, v4_head, sizeof(v4_head));
	memcpy(ret_bytes + sizeof(v4_head), &v4->sin_addr, 4);
	return true;
}

static bool covers(const struct sticky_prefix *prefix, const uint8_t bytes[16])
{
	size_t whole = prefix->bits / 8;
	unsigned int rest = prefix->bits % 8;

	if (memcmp(prefix->address, bytes, whole))
		return false;
	return !rest || (prefix->address[whole] ^ bytes[whole]) >> (8 - rest) == 0;
}

static void clear_behind(struct sticky_prefix *prefix)
{
	size_t whole = prefix->bits / 8;

	if (whole == 16)
		return;
	prefix->address[whole] &= (uint8_t)(0xff00 >> prefix->bits % 8);
	memset(prefix->address + whole + 1, 0, 15 - whole);
}

/*
 * Read an address. Returns the number of leading bits that all addresses of its family have in
 * common (96 for IPv4, 0 for IPv6), or -EINVAL if it is not an address.
 */
static int parse_host(const char *host, uint8_t ret_bytes[16])
{
	if (strchr(host, ':'))
		return inet_pton(AF_INET6, host, ret_bytes) == 1 ? 0 : -EINVAL;
	memcpy(ret_bytes, v4_head, sizeof(v4_head));
	return inet_pton(AF_INET, host, ret_bytes + sizeof(v4_head)) == 1 ? V4_BITS : -EINVAL;
}

int prefix_parse(const char *text, struct sticky_prefix *ret_prefix)
{
	struct sticky_prefix prefix;
	char host[INET6_ADDRSTRLEN];
	const char *slash = strchrnul(text, '/');
	size_t length = (size_t)(slash - text);
	uint64_t bits;
	int outer;

	if (length >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	outer = parse_host(host, prefix.address);
	if (outer < 0)
		return outer;
	bits = (uint64_t)(128 - outer);
	if (*slash && parse_number(slash + 1, 0, bits, &bits))
		return -EINVAL;
	prefix.bits = (uint8_t)(bits + (uint64_t)outer);
	if (prefix.bits < V4_BITS && !memcmp(prefix.address, v4_head, sizeof(v4_head)))
		return -EINVAL;
	clear_behind(&prefix);
	*ret_prefix = prefix;
	return 0;
}

bool prefix_is_public(const struct sockaddr *address)
{
	uint8_t bytes[16];
	size_t i;

	if (!read_bytes(address, bytes))
		return false;
	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (covers(&ranges[i], bytes))
			return false;
	return true;
}

const struct sticky_prefix *prefixes_default(size_t *ret_count)
{
	*ret_count = DEFAULT_COUNT;
	return ranges;
}

/* Sort a range before the ranges that it contains. */
static int compare(const void *left, const void *right)
{
	const struct sticky_prefix *a = left, *b = right;
	int order = memcmp(a->address, b->address, sizeof(a->address));

	return order ? order : (a->bits > b->bits) - (a->bits < b->bits);
}

/* Remove ranges that lie within others from a sorted list. Returns the number of ranges left. */
static size_t drop_nested(struct sticky_prefix *list, size_t count)
{
	size_t kept = 0, i;

	/*
	 * Two ranges never overlap in part. Therefore a range that lies within any earlier one also
	 * lies within the last one that was kept.
	 */
	for (i = 0; i < count; i++)
		if (!kept || !covers(&list[kept - 1], list[i].address))
			list[kept++] = list[i];
	return kept;
}

int prefixes_init(struct prefixes *prefixes, const struct sticky_prefix *list, size_t count)
{
	struct sticky_prefix *copy;
	size_t i;

	*prefixes = (struct prefixes){0};
	if (!count)
		return 0;
	copy = calloc(count, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		assert(list[i].bits <= 128);
		copy[i] = list[i];
		clear_behind(&copy[i]);
	}
	qsort(copy, count, sizeof(*copy), compare);
	prefixes->list = copy;
	prefixes->count = drop_nested(copy, count);
	return 0;
}

void prefixes_fini(struct prefixes *prefixes)
{
	free(prefixes->list);
	*prefixes = (struct prefixes){0};
}

bool prefixes_contain(const struct prefixes *prefixes, const struct sockaddr *address)
{
	size_t from = 0, to = prefixes->count;
	uint8_t bytes[16];

	if (!read_bytes(address, bytes))
		return false;
	/*
	 * Count the ranges that begin at or before the address. Only the last of them can contain
	 * it.
	 */
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (memcmp(prefixes->list[middle].address, bytes, sizeof(bytes)) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from && covers(&prefixes->list[from - 1], bytes);
}
