// SPDX-License-Identifier: MIT
/*
 * Runs one case many times, so that bench/guard.py can count its instructions.
 *
 *     guard --list          print the names of the cases
 *     guard CASE TIMES      run a case
 *     guard --program       print the BPF program's sizes in this kernel as JSON; needs CAP_BPF
 *
 * A case does the same in each run: it uses no clock, no chance, and nothing from the environment.
 *
 * Exit codes: 0 done; 1 failed; 2 no such case; 77 not permitted.
 */
#include <arpa/inet.h>
#include <cap-ng.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "handoff/client_ip.h"
#include "common/prefixes.h"
#include "handoff/proxy_header.h"
#include "engine/address.h"
#include "engine/table.h"
#include "lib/program_stats.h"
#include "sticky.h"

#define PAGE		4096
#define CLIENTS		16 /* number of clients, which take turns */
#define BAD_USAGE	2
#define NOT_PERMITTED	77
#define LIBRARY_PROGRAM "sticky_select" /* the program's name in bpf/sticky.bpf.c */

/*
 * This replaces the C library's function in all of this program. That function takes more
 * instructions if one of the strings happens to lie at the end of a cache line. So any new string
 * anywhere changed the figures of parsers by up to 2 %. This function takes the same number for
 * each byte that it looks at.
 */
int strncasecmp(const char *a, const char *b, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++) {
		int difference = tolower((unsigned char)a[i]) - tolower((unsigned char)b[i]);

		if (difference || !a[i])
			return difference;
	}
	return 0;
}

int strcasecmp(const char *a, const char *b)
{
	return strncasecmp(a, b, SIZE_MAX);
}

/* ---- Input of the parsers ----------------------------------------------------------- */

#define SHORT                                                                                      \
	"GET /health HTTP/1.1\r\nHost: example.com\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"

#define BROWSER                                                                                    \
	"GET /socket.io/?EIO=4&transport=polling&t=OxVtnXq HTTP/1.1\r\n"                           \
	"Host: example.com\r\n"                                                                    \
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "      \
	"Chrome/126.0.0.0 Safari/537.36\r\n"                                                       \
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"   \
	"Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"                                             \
	"Accept-Encoding: gzip, deflate, br\r\n"                                                   \
	"Referer: https://example.com/rooms/1138\r\n"                                              \
	"Cookie: session=8c1f0a5e2b7d4f6693aa01c4e5d7b9f2; theme=dark; consent=analytics%3D0; "    \
	"csrftoken=jT4w2sL0nQv7RkXyZb1MdEoPcUf9HaGi\r\n"                                           \
	"Sec-Fetch-Dest: empty\r\n"                                                                \
	"Sec-Fetch-Mode: cors\r\n"                                                                 \
	"Sec-Fetch-Site: same-origin\r\n"                                                          \
	"Connection: keep-alive\r\n"

#define XFF	    "X-Forwarded-For"
#define XFF_ONE	    XFF ": 203.0.113.9\r\n"
#define XFF_SEVERAL XFF ": 198.51.100.7, 2001:db8:1:2::9, 10.1.2.3:51234, 192.168.7.1\r\n"
#define FORWARDED                                                                                  \
	"Forwarded: for=\"[2001:db8:1:2::9]:4711\";proto=https, for=10.1.2.3;by=10.0.0.1\r\n"

#define V1_V4 "PROXY TCP4 203.0.113.9 10.0.0.1 51234 443\r\n"
#define V1_V6 "PROXY TCP6 2001:db8:1:2::9 2001:db8::443 51234 443\r\n"

#define V2_HEAD	 "\r\n\r\n\0\r\nQUIT\n\x21"
#define V2_PORTS "\xc8\x22\x01\xbb"
#define V2_V4	 V2_HEAD "\x11\x00\x0c\xcb\x00\x71\x09\x0a\x00\x00\x01" V2_PORTS
/* IPv6, with two TLVs: the server's name that the client asked for, and a checksum. */
#define V2_TLVS                                                                                    \
	V2_HEAD "\x21\x00\x39"                                                                     \
		"\x20\x01\x0d\xb8\x00\x01\x00\x02\x00\x00\x00\x00\x00\x00\x00\x09"                 \
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x43" V2_PORTS        \
		"\x02\x00\x0b"                                                                     \
		"example.com"                                                                      \
		"\x03\x00\x04\x2f\x64\xb1\x61"

/* ---- Cases ------------------------------------------------------------------------- */

struct guard_case;

/*
 * All that cases read and write. It is behind a pointer, so that the compiler knows none of the
 * values.
 */
struct fixture {
	/*
	 * The text starts at a page: the C library's functions do more if a text lies across two
	 * pages.
	 */
	_Alignas(PAGE) char text[PAGE];
	const struct guard_case *guarded;
	struct sticky_table table;
	struct sticky_settings settings;
	struct sticky_key key;
	struct sockaddr_storage clients[CLIENTS];
	struct sockaddr_in peer;
	struct prefixes trusted;
	struct client_ip_answer client;
	struct proxy_header_answer endpoint;
	struct sticky_prefix prefix;
	volatile uint32_t sink; /* results of the runs, so that the compiler leaves none out */
};

struct guard_case {
	const char *name;
	uint32_t (*run)(struct fixture *fixture, uint32_t turn);
	void (*make_client)(struct sockaddr_storage *client, uint32_t number);
	uint32_t slots;	 /* number of slots in the table; 0: the table is not filled in */
	uint32_t wanted; /* the result of `run`; 0: any */
	const char *text;
	size_t length;
	const char *header;
};

static void make_v4(struct sockaddr_storage *client, uint32_t number)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};

	v4.sin_addr.s_addr = htonl(0xcb007109 + number * 0x00010203);
	memcpy(client, &v4, sizeof(v4));
}

static void make_v6(struct sockaddr_storage *client, uint32_t number)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	v6.sin6_addr.s6_addr32[0] = htonl(0x20010db8);
	v6.sin6_addr.s6_addr32[1] = htonl(0x00010002 + number * 0x00010203);
	v6.sin6_addr.s6_addr32[3] = htonl(9);
	memcpy(client, &v6, sizeof(v6));
}

static void make_mapped(struct sockaddr_storage *client, uint32_t number)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	v6.sin6_addr.s6_addr32[2] = htonl(0xffff);
	v6.sin6_addr.s6_addr32[3] = htonl(0xcb007109 + number * 0x00010203);
	memcpy(client, &v6, sizeof(v6));
}

static const struct sockaddr *client_of(const struct fixture *fixture, uint32_t turn)
{
	return (const struct sockaddr *)&fixture->clients[turn % CLIENTS];
}

static int make_key(struct fixture *fixture, uint32_t turn)
{
	return address_key(&fixture->settings, client_of(fixture, turn), &fixture->key);
}

static uint32_t count_key_words(struct fixture *fixture, uint32_t turn)
{
	return make_key(fixture, turn) ? 0 : fixture->key.words;
}

/* Hash the one key that prepare() made. */
static uint32_t hash_key(struct fixture *fixture, uint32_t turn)
{
	(void)turn;
	return sticky_hash_bucket(sticky_key_hash(&fixture->settings, &fixture->key));
}

/* Look a client up as sticky_group_where() does, which dispatchers use, too. */
static uint32_t look_up(struct fixture *fixture, uint32_t turn)
{
	if (make_key(fixture, turn))
		return 0;
	return sticky_table_slot(&fixture->table, hash_key(fixture, turn));
}

static uint32_t fill_table(struct fixture *fixture, uint32_t turn)
{
	table_fill(STICKY_SLOTS_MAX, fixture->table.slots);
	return fixture->table.slots[turn];
}

static uint32_t find_client(struct fixture *fixture, uint32_t turn)
{
	(void)turn;
	return client_ip_find(fixture->text, fixture->guarded->length, fixture->guarded->header,
			      &fixture->trusted, (const struct sockaddr *)&fixture->peer,
			      &fixture->client);
}

static uint32_t parse_proxy_header(struct fixture *fixture, uint32_t turn)
{
	const char *why;

	(void)turn;
	return proxy_header_parse((const uint8_t *)fixture->text, fixture->guarded->length,
				  &fixture->endpoint, &why);
}

static uint32_t match_prefixes(struct fixture *fixture, uint32_t turn)
{
	return prefixes_contain(&fixture->trusted, client_of(fixture, turn));
}

static uint32_t parse_prefix(struct fixture *fixture, uint32_t turn)
{
	(void)turn;
	return !prefix_parse(fixture->text, &fixture->prefix);
}

#define CLIENT(client) .make_client = make_##client
#define TEXT(bytes)    .text = (bytes), .length = sizeof(bytes) - 1
#define HEAD(head, name, result)                                                                   \
	.run = find_client, TEXT(head "\r\n"), .header = (name), .wanted = (result)
#define PROXY(bytes) .run = parse_proxy_header, TEXT(bytes), .wanted = PROXY_HEADER_FOUND

/* At 8 slots no block of the table (bpf/abi.h) is mixed; at 64 slots two of three blocks are. */
static const struct guard_case cases[] = {
	{.name = "key_v4", .run = count_key_words, CLIENT(v4), .wanted = 1},
	{.name = "key_v6", .run = count_key_words, CLIENT(v6), .wanted = 4},
	{.name = "key_mapped", .run = count_key_words, CLIENT(mapped), .wanted = 1},
	{.name = "hash_v4", .run = hash_key, CLIENT(v4)},
	{.name = "hash_v6", .run = hash_key, CLIENT(v6)},
	{.name = "where_v4", .run = look_up, CLIENT(v4), .slots = 8},
	{.name = "where_v6", .run = look_up, CLIENT(v6), .slots = 8},
	{.name = "where_64_slots", .run = look_up, CLIENT(v4), .slots = 64},
	{.name = "table_fill_1024", .run = fill_table},
	{.name = "client_ip_short", HEAD(SHORT XFF_ONE, XFF, CLIENT_IP_FOUND)},
	{.name = "client_ip_browser", HEAD(BROWSER XFF_ONE, XFF, CLIENT_IP_FOUND)},
	{.name = "client_ip_no_header", HEAD(BROWSER, XFF, CLIENT_IP_NONE)},
	{.name = "client_ip_several", HEAD(BROWSER XFF_SEVERAL, XFF, CLIENT_IP_FOUND)},
	{.name = "client_ip_forwarded", HEAD(BROWSER FORWARDED, "Forwarded", CLIENT_IP_FOUND)},
	{.name = "proxy_v1_v4", PROXY(V1_V4)},
	{.name = "proxy_v1_v6", PROXY(V1_V6)},
	{.name = "proxy_v2_v4", PROXY(V2_V4)},
	{.name = "proxy_v2_tlvs", PROXY(V2_TLVS)},
	{.name = "prefixes_contain_v4", .run = match_prefixes, CLIENT(v4)},
	{.name = "prefixes_contain_v6", .run = match_prefixes, CLIENT(v6)},
	{.name = "prefix_parse", .run = parse_prefix, TEXT("2001:db8:1:2::/64"), .wanted = 1},
};

#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

/* ---- Running a case ---------------------------------------------------------------- */

static int failed(const char *what, int error)
{
	fprintf(stderr, "guard: %s: %s\n", what, strerror(-error));
	return error == -EPERM ? NOT_PERMITTED : 1;
}

static void make_settings(struct sticky_settings *settings)
{
	uint32_t word;

	settings->hash_seed[0] = 0x03020100;
	settings->hash_seed[1] = 0x07060504;
	settings->v4_mask = sticky_prefix_mask(32);
	for (word = 0; word < 2; word++)
		settings->v6_mask[word] = sticky_prefix_mask(32);
}

static void make_clients(struct fixture *fixture)
{
	uint32_t number;

	for (number = 0; number < CLIENTS; number++)
		fixture->guarded->make_client(&fixture->clients[number], number);
	make_key(fixture, 0);
}

static int prepare(const struct guard_case *guarded, struct fixture *fixture)
{
	size_t count;
	const struct sticky_prefix *list = prefixes_default(&count);

	fixture->guarded = guarded;
	fixture->peer.sin_family = AF_INET;
	fixture->peer.sin_addr.s_addr = htonl(0x0a000001);
	make_settings(&fixture->settings);
	if (guarded->make_client)
		make_clients(fixture);
	if (guarded->text)
		memcpy(fixture->text, guarded->text, guarded->length);
	if (guarded->slots) {
		table_fill(guarded->slots, fixture->table.slots);
		table_shorten(&fixture->table);
	}
	return prefixes_init(&fixture->trusted, list, count);
}

/* Check the result of a run: code that fails early would count as fast. */
static int check(const struct fixture *fixture)
{
	uint32_t wanted = fixture->guarded->wanted;

	if (!wanted || fixture->sink == wanted)
		return 0;
	fprintf(stderr, "guard: %s: %u in the place of %u\n", fixture->guarded->name, fixture->sink,
		wanted);
	return 1;
}

/* Run a case. guard.py lets callgrind count only the instructions in this function, by its name. */
static __attribute__((noinline)) void repeat_case(struct fixture *fixture, uint32_t times)
{
	uint32_t turn;

	for (turn = 0; turn < times; turn++)
		fixture->sink = fixture->guarded->run(fixture, turn);
}

static int run_case(const struct guard_case *guarded, uint32_t times)
{
	static struct fixture fixture;
	int error = prepare(guarded, &fixture);

	if (error)
		return failed(guarded->name, error);
	repeat_case(&fixture, times);
	prefixes_fini(&fixture.trusted);
	return times ? check(&fixture) : 0;
}

static int run_named(const char *name, const char *times)
{
	size_t i;

	for (i = 0; i < CASE_COUNT; i++)
		if (!strcmp(cases[i].name, name))
			return run_case(&cases[i], (uint32_t)strtoul(times, NULL, 10));
	fprintf(stderr, "guard: %s: no such case; --list has them\n", name);
	return BAD_USAGE;
}

static int list_cases(void)
{
	size_t i;

	for (i = 0; i < CASE_COUNT; i++)
		puts(cases[i].name);
	return 0;
}

/*
 * Give up all capabilities but CAP_BPF. With CAP_PERFMON, too, the verifier walks only a third of
 * the paths, and adds fewer instructions. Without it, the count is the larger one, and the same for
 * every user.
 */
static int keep_cap_bpf(void)
{
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF) ||
	    capng_apply(CAPNG_SELECT_CAPS))
		return -EPERM;
	return 0;
}

/* Print the sizes of the program. Opening a group loads it, and needs no socket. */
static int print_program(void)
{
	struct sticky_group_options options = {.size = sizeof(options), .slots = 8};
	struct program_stats stats;
	struct sticky_group *group;
	int error = keep_cap_bpf();

	if (!error)
		error = sticky_group_open(&options, &group);
	if (error)
		return failed("loading the BPF program (CAP_BPF)", error);
	error = program_stats_read_own(LIBRARY_PROGRAM, &stats);
	sticky_group_close(group);
	if (error)
		return failed("asking the kernel about the BPF program", error);
	printf("{\"verified_instructions\": %u, \"xlated_bytes\": %u, \"jited_bytes\": %u}\n",
	       stats.verified_instructions, stats.xlated_bytes, stats.jited_bytes);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list_cases();
	if (argc == 2 && !strcmp(argv[1], "--program"))
		return print_program();
	if (argc == 3)
		return run_named(argv[1], argv[2]);
	fprintf(stderr, "usage: guard --list | --program | CASE TIMES\n");
	return BAD_USAGE;
}
