// SPDX-License-Identifier: MIT
/*
 * Heads of requests. A result for a part of a head still holds when more of the head arrives. If
 * the peer is not a trusted proxy, its header is ignored. Each call gets a buffer of exactly the
 * right size, so that AddressSanitizer sees a read outside of it.
 *
 * The first byte of the input chooses the header and the trusted proxies.
 *
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc -Iinclude \
 *     tests/fuzz/fuzz_client_ip.c src/handoff/client_ip.c src/common/prefixes.c src/common/units.c
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "handoff/client_ip.h"

#define EACH_BYTE_MAX 200 /* inputs up to this size are cut at every byte */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct setting {
	const char *header;
	struct prefixes trusted;
	struct sockaddr_in peer;
};

struct look {
	enum client_ip_result result;
	struct client_ip_answer answer;
};

static void expect(bool is_so)
{
	if (!is_so)
		abort();
}

static struct look look_at(const struct setting *setting, const uint8_t *data, size_t length)
{
	char *copy = malloc(length);
	struct look look;

	expect(copy || !length);
	memset(&look, 1, sizeof(look)); /* 1 is a valid value of a bool; most other bytes are not */
	if (length)
		memcpy(copy, data, length);
	look.result = client_ip_find(copy, length, setting->header, &setting->trusted,
				     (const void *)&setting->peer, &look.answer);
	free(copy);
	return look;
}

static bool is_complete(const struct look *look)
{
	return look->result == CLIENT_IP_FOUND || look->result == CLIENT_IP_NONE;
}

static void expect_same(const struct look *a, const struct look *b)
{
	expect(a->result == b->result);
	expect(!memcmp(&a->answer.client, &b->answer.client, sizeof(a->answer.client)));
	expect(a->answer.keeps_alive == b->answer.keeps_alive);
	expect(a->answer.has_header == b->answer.has_header);
	expect(a->answer.head_bytes == b->answer.head_bytes);
}

static void check_answer(const struct look *look, size_t length)
{
	const struct sockaddr_in *v4 = (const void *)&look->answer.client;
	const struct sockaddr_in6 *v6 = (const void *)&look->answer.client;

	expect(look->answer.head_bytes > 0 && look->answer.head_bytes <= length);
	if (look->result == CLIENT_IP_NONE) {
		expect(look->answer.client.ss_family == AF_UNSPEC);
		return;
	}
	expect(look->answer.has_header);
	expect(v4->sin_family == AF_INET || v6->sin6_family == AF_INET6);
	expect(v4->sin_port == 0); /* the port is at the same place in both families */
	expect(v4->sin_family == AF_INET ||
	       (!IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && !v6->sin6_scope_id));
}

/*
 * Check the result for the first `length` bytes of a head. `whole` is the result for the whole
 * head.
 */
static void check_part(const struct setting *setting, const struct look *whole, const uint8_t *data,
		       size_t length)
{
	struct look part = look_at(setting, data, length);

	if (is_complete(whole) && length >= whole->answer.head_bytes)
		expect_same(&part, whole);
	else if (whole->result == CLIENT_IP_NOT_HTTP)
		expect(part.result == CLIENT_IP_MORE || part.result == CLIENT_IP_NOT_HTTP);
	else
		expect(part.result == CLIENT_IP_MORE);
}

static void check_parts(const struct setting *setting, const struct look *whole,
			const uint8_t *data, size_t size)
{
	size_t length, step = size > EACH_BYTE_MAX ? 1 + size / 16 : 1;

	if (is_complete(whole)) {
		check_part(setting, whole, data, whole->answer.head_bytes);
		check_part(setting, whole, data, whole->answer.head_bytes - 1);
	}
	for (length = 0; length < size; length += step)
		check_part(setting, whole, data, length);
}

static void check_longer(const struct setting *setting, const struct look *whole,
			 const uint8_t *data, size_t size)
{
	static const char behind[] =
		"\r\nX-Forwarded-For: 198.51.100.99\r\nConnection: close\r\n\r\n";
	uint8_t *longer = malloc(size + sizeof(behind));
	struct look look;

	expect(longer);
	if (size)
		memcpy(longer, data, size);
	memcpy(longer + size, behind, sizeof(behind));
	look = look_at(setting, longer, size + sizeof(behind));
	if (whole->result != CLIENT_IP_MORE)
		expect_same(&look, whole);
	free(longer);
}

/*
 * Check that with a peer that is not trusted the result is the same, except that the peer itself is
 * the client.
 */
static void check_stranger(const struct setting *setting, const struct look *whole,
			   const uint8_t *data, size_t size)
{
	struct setting stranger = *setting;
	struct look look, expected = *whole;

	stranger.peer.sin_addr.s_addr = htonl(0xcb007109);
	if (prefixes_contain(&setting->trusted, (const void *)&stranger.peer))
		return;
	if (whole->result == CLIENT_IP_FOUND) {
		expected.result = CLIENT_IP_NONE;
		memset(&expected.answer.client, 0, sizeof(expected.answer.client));
	}
	look = look_at(&stranger, data, size);
	expect_same(&look, &expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const headers[] = {"X-Forwarded-For", "Forwarded", "a", "Connection"};
	static const struct sticky_prefix everybody = {.bits = 0};
	struct setting setting = {
		.peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)},
	};
	size_t count;
	const struct sticky_prefix *list = prefixes_default(&count);
	struct look whole;

	if (!size)
		return 0;
	setting.header = headers[data[0] % 4];
	if (data[0] & 0x10) {
		list = &everybody;
		count = 1;
	}
	expect(!prefixes_init(&setting.trusted, list, count));
	data++;
	size--;
	whole = look_at(&setting, data, size);
	if (is_complete(&whole))
		check_answer(&whole, size);
	check_parts(&setting, &whole, data, size);
	check_longer(&setting, &whole, data, size);
	check_stranger(&setting, &whole, data, size);
	prefixes_fini(&setting.trusted);
	return 0;
}
