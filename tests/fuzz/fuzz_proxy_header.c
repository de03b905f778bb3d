// SPDX-License-Identifier: MIT
/*
 * PROXY headers from any client, cut at any byte. The parser reads no byte outside of the input.
 * Its result is MORE for some time, and then one result that does not change.
 *
 * clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc \
 *     tests/fuzz/fuzz_proxy_header.c src/handoff/proxy_header.c
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "handoff/proxy_header.h"

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

/* Inputs are cut at each byte up to this size, and at some bytes behind it. */
#define CUT_EVERYWHERE 160
#define CUTS_BEHIND    40

struct outcome {
	enum proxy_header_result result;
	struct proxy_header_answer answer;
	const char *why;
};

static void check_endpoint(const struct sockaddr_storage *endpoint)
{
	const struct sockaddr_in6 *v6 = (const void *)endpoint;

	check(endpoint->ss_family == AF_UNSPEC || endpoint->ss_family == AF_INET ||
	      endpoint->ss_family == AF_INET6);
	check(endpoint->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr));
}

static void check_outcome(const struct outcome *outcome, const uint8_t *bytes, size_t length)
{
	struct proxy_header_answer untouched;

	memset(&untouched, 0xa5, sizeof(untouched));
	check((outcome->why != NULL) == (outcome->result == PROXY_HEADER_BAD));
	if (outcome->result != PROXY_HEADER_FOUND) {
		check(memcmp(&outcome->answer, &untouched, sizeof(untouched)) == 0);
		check(outcome->result == PROXY_HEADER_BAD || length < PROXY_HEADER_MAX);
		return;
	}
	check(outcome->answer.length > 0 && outcome->answer.length <= length);
	check(outcome->answer.length <= PROXY_HEADER_MAX);
	check(outcome->answer.version == (bytes[0] == 'P' ? 1 : 2));
	check((outcome->answer.client.ss_family == AF_UNSPEC) ==
	      (outcome->answer.destination.ss_family == AF_UNSPEC));
	check_endpoint(&outcome->answer.client);
	check_endpoint(&outcome->answer.destination);
}

/* Parse the bytes in a block of exactly this size. */
static struct outcome parse(const uint8_t *bytes, size_t length)
{
	struct outcome outcome;
	uint8_t *copy = malloc(length);

	check(copy);
	if (length)
		memcpy(copy, bytes, length);
	memset(&outcome, 0xa5, sizeof(outcome));
	outcome.why = NULL;
	outcome.result = proxy_header_parse(copy, length, &outcome.answer, &outcome.why);
	check_outcome(&outcome, copy, length);
	free(copy);
	return outcome;
}

/* Check that after MORE there is a next byte that would not be refused. */
static void check_hope(const uint8_t *bytes, size_t length)
{
	uint8_t line[PROXY_HEADER_MAX];
	unsigned int value;

	check(length < sizeof(line));
	memcpy(line, bytes, length);
	for (value = 0; value < 256; value++) {
		line[length] = (uint8_t)value;
		if (parse(line, length + 1).result != PROXY_HEADER_BAD)
			return;
	}
	abort();
}

/* Check that the result is FOUND at the last byte of the header, and not before. */
static void check_length(const uint8_t *bytes, const struct outcome *outcome)
{
	struct outcome exact = parse(bytes, outcome->answer.length);

	check(memcmp(&exact, outcome, sizeof(exact)) == 0);
	check(parse(bytes, outcome->answer.length - 1).result == PROXY_HEADER_MORE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole = parse(data, size), last = {.result = PROXY_HEADER_MORE};
	size_t step = size > CUT_EVERYWHERE ? (size - CUT_EVERYWHERE) / CUTS_BEHIND + 1 : 1;
	size_t cut;

	for (cut = 0; cut < size; cut += cut < CUT_EVERYWHERE ? 1 : step) {
		struct outcome outcome = parse(data, cut);

		if (last.result != PROXY_HEADER_MORE)
			check(outcome.result == last.result);
		if (last.result == PROXY_HEADER_FOUND)
			check(memcmp(&outcome, &last, sizeof(last)) == 0);
		last = outcome;
	}
	check(last.result == PROXY_HEADER_MORE || last.result == whole.result);
	if (whole.result == PROXY_HEADER_FOUND)
		check_length(data, &whole);
	if (whole.result == PROXY_HEADER_MORE && size > 0 && data[0] == 'P')
		check_hope(data, size);
	return 0;
}
