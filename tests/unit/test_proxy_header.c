// SPDX-License-Identifier: MIT
/* PROXY protocol headers are read, refused, or waited for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handoff/proxy_header.h"
#include "engine/address.h"
#include "../support/guard.h"
#include "sticky.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Headers as text in this file ------------------------------------------------ */

struct header {
	uint8_t bytes[1024];
	size_t length;
};

#define SIGNATURE "0d0a0d0a000d0a515549540a"

/*
 * Make a header from a text. A text that begins with the signature of version 2 is hexadecimal,
 * with spaces. Any other text is used as it is.
 */
static struct header header_of(const char *text)
{
	struct header header = {.length = strlen(text)};
	unsigned int byte;

	assert_true(header.length <= sizeof(header.bytes));
	if (strncmp(text, "0d", 2) != 0) {
		memcpy(header.bytes, text, header.length);
		return header;
	}
	for (header.length = 0; sscanf(text, " %2x", &byte) == 1; header.length++) {
		header.bytes[header.length] = (uint8_t)byte;
		text += strspn(text, " ") + 2;
	}
	return header;
}

/* ---- Parsing ----------------------------------------------------------------------- */

struct outcome {
	enum proxy_header_result result;
	struct proxy_header_answer answer;
	const char *why;
};

/* Every header that is parsed is copied to this place. */
static struct guard guard;

/* Parse the bytes. The caller checks the outputs that must stay untouched. */
static struct outcome parse_at(const uint8_t *bytes, size_t length, const char *untouched_why)
{
	struct outcome outcome;

	memset(&outcome, 0xa5, sizeof(outcome));
	outcome.why = untouched_why;
	outcome.result = proxy_header_parse(bytes, length, &outcome.answer, &outcome.why);
	return outcome;
}

/* Parse the header twice, so that one byte too far on either side is unreadable. */
static struct outcome parse(const uint8_t *bytes, size_t length)
{
	static const char *const untouched_why = "untouched";
	struct proxy_header_answer untouched;
	struct outcome outcome, again;

	memset(&untouched, 0xa5, sizeof(untouched));
	outcome = parse_at(guard_at_end(&guard, bytes, length), length, untouched_why);
	again = parse_at(guard_at_start(&guard, bytes, length), length, untouched_why);
	assert_memory_equal(&again, &outcome, sizeof(outcome));
	if (outcome.result != PROXY_HEADER_FOUND)
		assert_memory_equal(&outcome.answer, &untouched, sizeof(untouched));
	if (outcome.result == PROXY_HEADER_BAD)
		assert_ptr_not_equal(outcome.why, untouched_why);
	else
		assert_ptr_equal(outcome.why, untouched_why);
	return outcome;
}

static enum proxy_header_result result_of(const uint8_t *bytes, size_t length)
{
	return parse(bytes, length).result;
}

/* Check an address. `expected` is a text as address_format() writes it, or NULL: no address. */
static void check_endpoint(const struct sockaddr_storage *endpoint, const char *expected)
{
	static const struct sockaddr_storage nobody;
	char text[STICKY_ADDRESS_TEXT_SIZE];

	if (!expected) {
		assert_memory_equal(endpoint, &nobody, sizeof(nobody));
		return;
	}
	assert_int_equal(address_format((const void *)endpoint, sizeof(text), text), 0);
	assert_string_equal(text, expected);
}

/*
 * Check that the first `good` bytes can become a header, and that with one more byte they can't,
 * whatever follows.
 */
static void check_bad(const uint8_t *bytes, size_t length, size_t good, const char *why)
{
	size_t cut;

	assert_true(good < length);
	for (cut = 0; cut <= length; cut++) {
		struct outcome outcome = parse(bytes, cut);

		if (outcome.result != (cut <= good ? PROXY_HEADER_MORE : PROXY_HEADER_BAD))
			fail_msg("%zu of %zu bytes (%zu are good): %d", cut, length, good,
				 (int)outcome.result);
		if (cut > good)
			assert_string_equal(outcome.why, why);
	}
}

/* ---- Good headers ------------------------------------------------------------------ */

static const struct {
	const char *text;
	const char *client, *destination;
} good[] = {
	/* The specification's example, and the longest header of each kind that it names. */
	{"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "192.168.0.1:56324",
	 "192.168.0.11:443"},
	{"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535",
	 "255.255.255.255:65535"},
	{"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	{"PROXY UNKNOWN\r\n", NULL, NULL},
	{"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	 NULL, NULL},

	/*
	 * These were sent by HAProxy 2.6.12 with send-proxy: TCP4, TCP6, and a v4-mapped address.
	 */
	{"PROXY TCP4 192.0.2.9 192.0.2.1 56324 80\r\n", "192.0.2.9:56324", "192.0.2.1:80"},
	{"PROXY TCP6 2001:db8::9 2001:db8::1 56325 80\r\n", "[2001:db8::9]:56325",
	 "[2001:db8::1]:80"},
	{"PROXY TCP6 ::ffff:192.0.2.9 ::ffff:192.0.2.1 56326 81\r\n", "192.0.2.9:56326",
	 "192.0.2.1:81"},
	/* These were sent by HAProxy's health check, and by curl 7.88.1 with --haproxy-protocol. */
	{"PROXY TCP4 127.0.0.1 127.0.0.1 34422 7006\r\n", "127.0.0.1:34422", "127.0.0.1:7006"},
	{"PROXY TCP4 127.0.0.1 127.0.0.1 56327 7007\r\n", "127.0.0.1:56327", "127.0.0.1:7007"},
	{"PROXY TCP6 ::1 ::1 56340 7008\r\n", "[::1]:56340", "[::1]:7008"},

	/* The same three headers, sent by HAProxy 2.6.12 with send-proxy-v2. */
	{SIGNATURE "2111000c c0000209 c0000201 dc07 0050", "192.0.2.9:56327", "192.0.2.1:80"},
	{SIGNATURE "21210024 20010db8000000000000000000000009 20010db8000000000000000000000001"
		   "dc08 0050",
	 "[2001:db8::9]:56328", "[2001:db8::1]:80"},
	{SIGNATURE "21210024 00000000000000000000ffffc0000209 00000000000000000000ffffc0000201"
		   "dc09 0051",
	 "192.0.2.9:56329", "192.0.2.1:81"},
	/* These were sent with proxy-v2-options crc32c,unique-id. */
	{SIGNATURE "2111003a c0000209 c0000201 dc0a 0050 030004 67125453 050024"
		   "39306230336237382d303866612d343036342d623261662d393733356239323364636438",
	 "192.0.2.9:56330", "192.0.2.1:80"},
	{SIGNATURE "21210052 20010db8000000000000000000000009 20010db8000000000000000000000001"
		   "dc0b 0050 030004 a8de55f4 050024"
		   "35376166366637342d623338342d346435632d396530642d386465396632623765316135",
	 "[2001:db8::9]:56331", "[2001:db8::1]:80"},
	{SIGNATURE "21210052 00000000000000000000ffffc0000209 00000000000000000000ffffc0000201"
		   "dc0c 0051 030004 62cbc9bd 050024"
		   "63313335663464652d313938332d346663652d386264642d346330333532396534303565",
	 "192.0.2.9:56332", "192.0.2.1:81"},
	/*
	 * The first is LOCAL, as its client was connected by a UNIX socket. The other two are
	 * health checks, without and with a checksum.
	 */
	{SIGNATURE "2000002e 030004 f152c789 050024"
		   "62623664616636392d623764362d343939612d616438622d366630366538313066633163",
	 NULL, NULL},
	{SIGNATURE "20000000", NULL, NULL},
	{SIGNATURE "20000007 030004 a9b87e8f", NULL, NULL},

	/* The smallest and largest value of each field. */
	{"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0:0", "0.0.0.0:0"},
	{"PROXY TCP6 :: :: 0 0\r\n", "[::]:0", "[::]:0"},
	{"PROXY TCP4 10.0.0.200 249.250.99.100 1 65529\r\n", "10.0.0.200:1",
	 "249.250.99.100:65529"},
	/* An IPv6 address can be written in many forms. */
	{"PROXY TCP6 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7:: 1 2\r\n", "[1:2:3:4:5:6:7:8]:1",
	 "[1:2:3:4:5:6:7:0]:2"},
	{"PROXY TCP6 ::2:3:4:5:6:7:8 0001:0002:0003:0004:0005:0006:0007:0008 1 2\r\n",
	 "[0:2:3:4:5:6:7:8]:1", "[1:2:3:4:5:6:7:8]:2"},
	{"PROXY TCP6 2001:DB8::ABCD 0:0:0:0:0:0:0:1 1 2\r\n", "[2001:db8::abcd]:1", "[::1]:2"},
	{"PROXY TCP6 64:ff9b::192.0.2.33 1:2:3:4:5:6:1.2.3.4 1 2\r\n", "[64:ff9b::c000:221]:1",
	 "[1:2:3:4:5:6:102:304]:2"},
	{"PROXY TCP6 ::FFFF:1.2.3.4 0:0:0:0:0:ffff:0102:0304 1 2\r\n", "1.2.3.4:1", "1.2.3.4:2"},
	{"PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n", "1.2.3.4:1", "[::1]:2"},
	{"PROXY TCP6 ::1 ::ffff:1.2.3.4 1 2\r\n", "[::1]:1", "1.2.3.4:2"},
	/* Everything behind UNKNOWN is ignored, even a CR or an LF alone. */
	{"PROXY UNKNOWN \r\n", NULL, NULL},
	{"PROXY UNKNOWN \r\r\n", NULL, NULL},
	{"PROXY UNKNOWN  TCP4 999 \n \r \x80\xff PROXY\r\n", NULL, NULL},

	/* UDP, UNIX and unspecified: there is no address that could be used. */
	{SIGNATURE "2112000c c0000209 c0000201 dc07 0050", NULL, NULL},
	{SIGNATURE "21220024 20010db8000000000000000000000009 20010db8000000000000000000000001"
		   "dc08 0050",
	 NULL, NULL},
	{SIGNATURE "21000000", NULL, NULL},
	{SIGNATURE "2100000c c0000209 c0000201 dc07 0050", NULL, NULL},
	{SIGNATURE "21010000", NULL, NULL},
	{SIGNATURE "21100000", NULL, NULL},
	{SIGNATURE "21200004 03000400", NULL, NULL},
	/* With LOCAL the family and all bytes behind it are ignored. */
	{SIGNATURE "20110000", NULL, NULL},
	{SIGNATURE "2011000c c0000209 c0000201 dc07 0050", NULL, NULL},
	{SIGNATURE "20110007 030004 00000000", NULL, NULL},
	{SIGNATURE "20110013 c0000209 c0000201 dc07 0050 030004 00000000", NULL, NULL},
	{SIGNATURE "20ff0003 ffffff", NULL, NULL},
	/* TLVs are skipped: valid, empty and malformed ones. */
	{SIGNATURE "21110012 c0000209 c0000201 dc07 0050 040000 040000", "192.0.2.9:56327",
	 "192.0.2.1:80"},
	{SIGNATURE "21110010 c0000209 c0000201 dc07 0050 04ffffff", "192.0.2.9:56327",
	 "192.0.2.1:80"},
	{SIGNATURE "2111000e c0000209 c0000201 dc07 0050 0300", "192.0.2.9:56327", "192.0.2.1:80"},
	/* These are no checksums: they lie within the value of another TLV, and of that of TLS. */
	{SIGNATURE "21110016 c0000209 c0000201 dc07 0050 ea0007 030004 00000000", "192.0.2.9:56327",
	 "192.0.2.1:80"},
	{SIGNATURE "2111001b c0000209 c0000201 dc07 0050 20000c 01 00000000 030004 00000000",
	 "192.0.2.9:56327", "192.0.2.1:80"},
};

static void good_headers_are_found(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		struct header header = header_of(good[i].text);
		struct outcome outcome = parse(header.bytes, header.length);

		if (outcome.result != PROXY_HEADER_FOUND)
			fail_msg("\"%s\": %d", good[i].text, (int)outcome.result);
		assert_int_equal(outcome.answer.length, header.length);
		assert_int_equal(outcome.answer.version, good[i].text[0] == 'P' ? 1 : 2);
		check_endpoint(&outcome.answer.client, good[i].client);
		check_endpoint(&outcome.answer.destination, good[i].destination);
	}
}

static void every_beginning_is_waited_for(void **state)
{
	size_t i, cut;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		struct header header = header_of(good[i].text);

		for (cut = 0; cut < header.length; cut++) {
			if (result_of(header.bytes, cut) != PROXY_HEADER_MORE)
				fail_msg("\"%s\": not waited for after %zu bytes", good[i].text,
					 cut);
		}
	}
}

static void no_byte_is_a_beginning(void **state)
{
	struct proxy_header_answer answer;
	const char *why;

	(void)state;
	assert_int_equal(proxy_header_parse(NULL, 0, &answer, &why), PROXY_HEADER_MORE);
}

static void a_payload_changes_nothing(void **state)
{
	/* Each of these could be mistaken for a part of the header. */
	static const char *const payloads[] = {"GET / HTTP/1.1\r\n", "\n",	 "\r\n", " ", "0",
					       "PROXY UNKNOWN\r\n",  "\r\n\r\n", "\x03"};
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		struct header header = header_of(good[i].text);
		struct outcome alone = parse(header.bytes, header.length);

		for (j = 0; j < COUNT(payloads); j++) {
			struct header longer = header;
			struct outcome outcome;

			memcpy(longer.bytes + longer.length, payloads[j], strlen(payloads[j]));
			longer.length += strlen(payloads[j]);
			outcome = parse(longer.bytes, longer.length);
			assert_memory_equal(&outcome, &alone, sizeof(alone));
		}
	}
}

/* ---- Bad headers ------------------------------------------------------------------- */

#define NONE	    "no PROXY header"
#define KIND	    "neither TCP4 nor TCP6 nor UNKNOWN"
#define SOURCE	    "bad source address"
#define DESTINATION "bad destination address"
#define SOURCE_PORT "bad source port"
#define DEST_PORT   "bad destination port"
#define NO_LF	    "CR without LF"
#define VERSION	    "binary header of another version than 2"
#define COMMAND	    "unknown command"
#define FAMILY	    "unknown address family or protocol"
#define SHORT	    "too short for its addresses"
#define LONG	    "header too long"
#define CRC	    "wrong checksum"
#define CRC_SIZE    "checksum of a wrong size"
#define CRC_TWICE   "two checksums"

static void bad_lines_are_refused(void **state)
{
	/* rest: the header from the first wrong byte on */
	static const struct {
		const char *begin, *rest, *why;
	} bad[] = {
		{"", "GET / HTTP/1.1\r\n", NONE},
		{"", " PROXY", NONE},
		{"", "proxy TCP4", NONE},
		{"", "\n", NONE},
		{"", "\x16\x03\x01", NONE},
		{"P", "OST / HTTP/1.1\r\n", NONE},
		{"P", "roxy", NONE},
		{"PROX", "X", NONE},
		{"PROXY", "\tTCP4", NONE},
		{"PROXY", "\r\n", NONE},
		{"PROXY ", " TCP4", KIND},
		{"PROXY ", "tcp4", KIND},
		{"PROXY T", "LS", KIND},
		{"PROXY TCP", "5 ", KIND},
		{"PROXY TCP", " 1.2.3.4", KIND},
		{"PROXY TCP4", "\r\n", KIND},
		{"PROXY TCP4", "6 ", KIND},
		{"PROXY U", "DP4", KIND},
		{"PROXY UNKNOWN", "X\r\n", KIND},
		{"PROXY UNKNOWN", "\n", KIND},
		{"PROXY UNKNOWN\r", "X", KIND},
		{"PROXY UNKNOWN\r", "\r\n", KIND},

		{"PROXY TCP4 ", " 1.2.3.4 1.2.3.4 1 2\r\n", SOURCE},
		{"PROXY TCP4 ", "\r\n", SOURCE},
		{"PROXY TCP4 ", "::1 ::1 1 2\r\n", SOURCE},
		{"PROXY TCP4 ", "a", SOURCE},
		{"PROXY TCP4 ", "+1", SOURCE},
		{"PROXY TCP4 ", ".1", SOURCE},
		{"PROXY TCP4 0", "1.2.3.4", SOURCE},
		{"PROXY TCP4 0", "x7f.1", SOURCE},
		{"PROXY TCP4 1.2.3.0", "4", SOURCE},
		{"PROXY TCP4 1", " ", SOURCE},
		{"PROXY TCP4 1.", ".", SOURCE},
		{"PROXY TCP4 1.2.3", " 1.2.3.4 1 2\r\n", SOURCE},
		{"PROXY TCP4 1.2.3.", " 1.2.3.4 1 2\r\n", SOURCE},
		{"PROXY TCP4 25", "6.2.3.4", SOURCE},
		{"PROXY TCP4 99", "9.2.3.4", SOURCE},
		{"PROXY TCP4 1.2.3.25", "6", SOURCE},
		{"PROXY TCP4 1.2.3.4", ".5", SOURCE},
		{"PROXY TCP4 1.2.3.4", ":80", SOURCE},
		{"PROXY TCP4 1.2.3.4", "\t1.2.3.4 1 2\r\n", SOURCE},
		{"PROXY TCP4 1.2.3.4", "\r\n", SOURCE},
		{"PROXY TCP4 1.2.3.4 ", " 1.2.3.4 1 2\r\n", DESTINATION},
		{"PROXY TCP4 1.2.3.4 ", "::1 1 2\r\n", DESTINATION},
		{"PROXY TCP4 1.2.3.4 1", " 2\r\n", DESTINATION},
		{"PROXY TCP4 1.2.3.4 1.2.3.4", "\r\n", DESTINATION},

		{"PROXY TCP6 1", ".2.3.4 1.2.3.4 1 2\r\n", SOURCE},
		{"PROXY TCP6 12", ".2.3.4", SOURCE},
		{"PROXY TCP6 ", " ::1 1 2\r\n", SOURCE},
		{"PROXY TCP6 ", "[::1]", SOURCE},
		{"PROXY TCP6 ", "g", SOURCE},
		{"PROXY TCP6 :", "1", SOURCE},
		{"PROXY TCP6 ::", ":", SOURCE},
		{"PROXY TCP6 1::2:", ":3", SOURCE},
		{"PROXY TCP6 1:", " ", SOURCE},
		{"PROXY TCP6 1::2:", " ::1 1 2\r\n", SOURCE},
		{"PROXY TCP6 0000", "1", SOURCE},
		{"PROXY TCP6 1:2:3:4:5:6:7", " ::1 1 2\r\n", SOURCE},
		{"PROXY TCP6 1:2:3:4:5:6:7:8", ":9", SOURCE},
		{"PROXY TCP6 1:2:3:4:5:6:7:8", ".", SOURCE},
		{"PROXY TCP6 1:2:3:4:5:6:7::", "8", SOURCE},
		{"PROXY TCP6 ::2:3:4:5:6:7:8", ":", SOURCE},
		{"PROXY TCP6 ::ffff:256", ".", SOURCE},
		{"PROXY TCP6 ::ffff:01", ".", SOURCE},
		{"PROXY TCP6 ::ffff:1.2.3", " ::1 1 2\r\n", SOURCE},
		{"PROXY TCP6 ::ffff:1.2.3.4", ":5", SOURCE},
		{"PROXY TCP6 ::1", "/64 ::1 1 2\r\n", SOURCE},
		{"PROXY TCP6 fe80::1", "%eth0 ::1 1 2\r\n", SOURCE},
		{"PROXY TCP6 ::1 ", "\r\n", DESTINATION},
		{"PROXY TCP6 ::1 1", ".2.3.4 1 2\r\n", DESTINATION},

		{"PROXY TCP4 1.2.3.4 1.2.3.4 ", " 1 2\r\n", SOURCE_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 ", "-1 2\r\n", SOURCE_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 ", "+1 2\r\n", SOURCE_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 ", "http 2\r\n", SOURCE_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 0", "1 2\r\n", SOURCE_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 0", "0 2\r\n", SOURCE_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 0", "x1 2\r\n", SOURCE_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 6553", "6 2\r\n", SOURCE_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 9999", "9 2\r\n", SOURCE_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 65535", "0 2\r\n", SOURCE_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1", "\r\n", SOURCE_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 ", " 2\r\n", DEST_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 ", "\r\n", DEST_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2", " \r\n", DEST_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2", " 3\r\n", DEST_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2", "\n", DEST_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 0", "2\r\n", DEST_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 6553", "6\r\n", DEST_PORT},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r", "\r\n", NO_LF},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r", "GET /", NO_LF},
	};
	char line[128];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		snprintf(line, sizeof(line), "%s%s", bad[i].begin, bad[i].rest);
		check_bad((const uint8_t *)line, strlen(line), strlen(bad[i].begin), bad[i].why);
	}
}

static void bad_binary_headers_are_refused(void **state)
{
	/* good: the number of bytes that can become a header */
	static const struct {
		const char *text;
		size_t good;
		const char *why;
	} bad[] = {
		{"0d0d", 1, NONE},
		{"0d0a0d0a0d0a", 4, NONE},
		{"0d0a0d0a000d0a717569740a", 7, NONE},
		{SIGNATURE "11", 12, VERSION},
		{SIGNATURE "01", 12, VERSION},
		{SIGNATURE "31", 12, VERSION},
		{SIGNATURE "22", 12, COMMAND},
		{SIGNATURE "2f", 12, COMMAND},
		{SIGNATURE "2113", 13, FAMILY},
		{SIGNATURE "2141", 13, FAMILY},
		{SIGNATURE "21ff", 13, FAMILY},
		{SIGNATURE "2111000b c0000209 c0000201 dc07 00", 15, SHORT},
		{SIGNATURE "21110000", 15, SHORT},
		{SIGNATURE "2112000b", 15, SHORT},
		{SIGNATURE "21210023", 15, SHORT},
		{SIGNATURE "2121000c c0000209 c0000201 dc07 0050", 15, SHORT},
		{SIGNATURE "21220000", 15, SHORT},
		{SIGNATURE "213100d7", 15, SHORT},
		{SIGNATURE "21320000", 15, SHORT},
		{SIGNATURE "21114000", 14, LONG},
		{SIGNATURE "2000ffff", 14, LONG},
		{SIGNATURE "21113ff1", 15, LONG},
		{SIGNATURE "20113ff1", 15, LONG},
		/* A wrong checksum is noticed only when the whole header has arrived. */
		{SIGNATURE "21110013 c0000209 c0000201 dc07 0050 030004 00000000", 34, CRC},
		{SIGNATURE "20000007 030004 a9b87e8e", 22, CRC},
		{SIGNATURE "20000007 030004 8f7eb8a9", 22, CRC},
		{SIGNATURE "2000000a 030004 a9b87e8f 040000", 25, CRC},
		{SIGNATURE "20000006 030003 a9b87e", 18, CRC_SIZE},
		{SIGNATURE "20000008 030005 a9b87e8f00", 18, CRC_SIZE},
		{SIGNATURE "20000006 030004 a9b87e", 18, CRC_SIZE},
		{SIGNATURE "21000003 030000", 18, CRC_SIZE},
		{SIGNATURE "2000000e 030004 a9b87e8f 030004 a9b87e8f", 25, CRC_TWICE},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		struct header header = header_of(bad[i].text);

		check_bad(header.bytes, header.length, bad[i].good, bad[i].why);
	}
}

/* ---- Limits ------------------------------------------------------------------------ */

static void a_line_has_107_bytes_at_most(void **state)
{
	static const char begin[] = "PROXY UNKNOWN ";
	char line[128];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, begin, sizeof(begin) - 1);
	check_bad((const uint8_t *)line, sizeof(line), 105, "line too long");
	line[105] = '\r';
	check_bad((const uint8_t *)line, sizeof(line), 106, "line too long");
	line[106] = '\n';
	assert_int_equal(result_of((const uint8_t *)line, 106), PROXY_HEADER_MORE);
	assert_int_equal(result_of((const uint8_t *)line, sizeof(line)), PROXY_HEADER_FOUND);
	line[105] = 'x';
	line[106] = '\r';
	line[107] = '\n';
	check_bad((const uint8_t *)line, sizeof(line), 105, "line too long");
}

static void two_addresses_can_be_too_long(void **state)
{
	/*
	 * With dots (::ffff:1.2.3.4) the text of an address can have 45 bytes; without them it has
	 * 39 at most.
	 */
	static const char whole[] = "PROXY TCP6 1111:2222:3333:4444:5555:6666:111.111.111.111 "
				    "1111:2222:3333:4444:5555::1.1.1.1 1 65535\r\n";
	static const char begin[] = "PROXY TCP6 1111:2222:3333:4444:5555:6666:111.111.111.111 "
				    "1111:2222:3333:4444:5555:6666:111.111.";
	/*
	 * With this tail the line is one byte too long. That is certain from the last digit of the
	 * address on.
	 */
	static const char tail[] = "111.111 1 1\r\n";
	char line[128];
	size_t cut;

	(void)state;
	for (cut = 0; cut < sizeof(whole) - 1; cut++)
		assert_int_equal(result_of((const uint8_t *)whole, cut), PROXY_HEADER_MORE);
	assert_int_equal(result_of((const uint8_t *)whole, cut), PROXY_HEADER_FOUND);

	snprintf(line, sizeof(line), "%s%s", begin, tail);
	assert_int_equal(strlen(begin), 95);
	assert_int_equal(strlen(line), 108);
	assert_int_equal(result_of((const uint8_t *)line, 107), PROXY_HEADER_BAD);
	check_bad((const uint8_t *)line, strlen(line), 101, "line too long");

	snprintf(line, sizeof(line), "%s%s", begin, tail + 1);
	assert_int_equal(strlen(line), 107);
	for (cut = 0; cut < 107; cut++)
		assert_int_equal(result_of((const uint8_t *)line, cut), PROXY_HEADER_MORE);
	assert_int_equal(result_of((const uint8_t *)line, 107), PROXY_HEADER_FOUND);
}

static void a_nul_is_no_end_of_a_field(void **state)
{
	static const char source[] = "PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n";
	static const char port[] = "PROXY TCP4 1.2.3.4 1.2.3.4 1\0 2\r\n";
	static const char unknown[] = "PROXY UNKNOWN \0\r\n";

	(void)state;
	check_bad((const uint8_t *)source, sizeof(source) - 1, 18, SOURCE);
	check_bad((const uint8_t *)port, sizeof(port) - 1, 28, SOURCE_PORT);
	assert_int_equal(result_of((const uint8_t *)unknown, sizeof(unknown) - 1),
			 PROXY_HEADER_FOUND);
}

/*
 * Returns the result that the specification demands for a byte. `at` is its place among the first
 * 14 bytes of a header that contains 0x21 0x11.
 */
static enum proxy_header_result expect_byte(size_t at, unsigned int value, uint8_t original)
{
	if (at < 12)
		return value == original ? PROXY_HEADER_FOUND : PROXY_HEADER_BAD;
	if (at == 12)
		return value == 0x20 || value == 0x21 ? PROXY_HEADER_FOUND : PROXY_HEADER_BAD;
	switch (value) {
	case 0x00:
	case 0x01:
	case 0x02:
	case 0x10:
	case 0x11:
	case 0x12:
	case 0x20:
	case 0x21:
	case 0x22:
	case 0x30:
	case 0x31:
	case 0x32:
		return PROXY_HEADER_FOUND;
	default:
		return PROXY_HEADER_BAD;
	}
}

static void every_value_of_the_fixed_bytes(void **state)
{
	struct header header = header_of(SIGNATURE "211100d8");
	unsigned int value;
	size_t at;

	(void)state;
	memset(header.bytes + header.length, 0, 0xd8);
	header.length += 0xd8;
	for (at = 0; at < 14; at++) {
		struct header changed = header;

		for (value = 0; value < 256; value++) {
			enum proxy_header_result expected =
				expect_byte(at, value, header.bytes[at]);
			struct outcome outcome;

			changed.bytes[at] = (uint8_t)value;
			outcome = parse(changed.bytes, changed.length);
			assert_int_equal(outcome.result, expected);
			/* A line of version 1 could still begin like this. */
			if (at == 0 && value == 'P')
				continue;
			if (expected == PROXY_HEADER_FOUND)
				expected = PROXY_HEADER_MORE;
			assert_int_equal(result_of(changed.bytes, at + 1), expected);
			if (at == 13 && expected == PROXY_HEADER_MORE)
				assert_int_equal(outcome.answer.client.ss_family,
						 value == 0x11	 ? AF_INET
						 : value == 0x21 ? AF_INET6
								 : AF_UNSPEC);
		}
	}
}

static void every_value_of_the_length(void **state)
{
	static uint8_t bytes[16 + UINT16_MAX];
	struct header header = header_of(SIGNATURE "2111");
	uint32_t behind;

	(void)state;
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, header.bytes, header.length);
	for (behind = 0; behind <= UINT16_MAX; behind++) {
		bool fits = behind >= 12 && 16 + behind <= PROXY_HEADER_MAX;
		enum proxy_header_result expected = fits ? PROXY_HEADER_FOUND : PROXY_HEADER_BAD;
		struct outcome outcome;

		bytes[14] = (uint8_t)(behind >> 8);
		bytes[15] = (uint8_t)behind;
		outcome = parse(bytes, 16 + behind);
		assert_int_equal(outcome.result, expected);
		if (fits)
			assert_int_equal(outcome.answer.length, 16 + behind);
		expected = fits ? PROXY_HEADER_MORE : PROXY_HEADER_BAD;
		assert_int_equal(result_of(bytes, 15 + behind),
				 behind == 0 ? PROXY_HEADER_MORE : expected);
	}
}

/* ---- Checksums --------------------------------------------------------------------- */

/* Computed bit by bit, as in RFC 4960, appendix B. This is not the code that is tested. */
static uint32_t crc32c(const uint8_t *bytes, size_t length)
{
	uint32_t crc = UINT32_MAX;
	size_t i;
	int bit;

	for (i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void a_changed_bit_breaks_the_checksum(void **state)
{
	/*
	 * This is the first header that HAProxy sent with a checksum. The checksum is at byte 31, a
	 * unique id at byte 38.
	 */
	struct header header = header_of(
		SIGNATURE
		"2111003a c0000209 c0000201 dc0a 0050 030004 67125453 050024"
		"39306230336237382d303866612d343036342d623261662d393733356239323364636438");
	size_t bit;

	(void)state;
	assert_int_equal(result_of(header.bytes, header.length), PROXY_HEADER_FOUND);
	for (bit = 16 * 8; bit < header.length * 8; bit++) {
		size_t at = bit / 8;
		struct outcome outcome;

		/*
		 * The type and the length of the first TLV are skipped: a change makes a different
		 * header of it.
		 */
		if (at >= 28 && at < 31)
			continue;
		header.bytes[at] ^= (uint8_t)(1 << bit % 8);
		outcome = parse(header.bytes, header.length);
		assert_int_equal(outcome.result, PROXY_HEADER_BAD);
		assert_string_equal(outcome.why, CRC);
		header.bytes[at] ^= (uint8_t)(1 << bit % 8);
	}
}

static void checksums_of_all_lengths_fit(void **state)
{
	static uint8_t bytes[PROXY_HEADER_MAX];
	struct header header = header_of(SIGNATURE "2111");
	size_t before, step;

	(void)state;
	for (before = 0, step = 1; 16 + 12 + 3 + before + 7 <= sizeof(bytes); before += step++) {
		size_t at = 16 + 12 + 3 + before, total = at + 7, i;
		struct outcome outcome;
		uint32_t crc;

		for (i = 0; i < total; i++)
			bytes[i] = (uint8_t)(i * 167 + before);
		memcpy(bytes, header.bytes, header.length);
		bytes[14] = (uint8_t)((total - 16) >> 8);
		bytes[15] = (uint8_t)(total - 16);
		bytes[28] = 0xe0;
		bytes[29] = (uint8_t)(before >> 8);
		bytes[30] = (uint8_t)before;
		memcpy(bytes + at, "\x03\x00\x04\x00\x00\x00\x00", 7);
		crc = htonl(crc32c(bytes, total));
		memcpy(bytes + at + 3, &crc, sizeof(crc));
		assert_int_equal(result_of(bytes, total), PROXY_HEADER_FOUND);
		assert_int_equal(result_of(bytes, total - 1), PROXY_HEADER_MORE);
		bytes[total - 1] ^= 1;
		outcome = parse(bytes, total);
		assert_int_equal(outcome.result, PROXY_HEADER_BAD);
		assert_string_equal(outcome.why, CRC);
	}
}

/* ---- Random headers, with a fixed seed --------------------------------------------- */

static uint32_t random_below(uint32_t limit)
{
	static uint64_t x = 0x9e3779b97f4a7c15ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 32) % limit;
}

/* Check that the result is MORE for some time, and then one result that does not change. */
static void check_consistent(const uint8_t *bytes, size_t length)
{
	struct outcome last = {.result = PROXY_HEADER_MORE};
	size_t cut;

	for (cut = 0; cut <= length; cut++) {
		struct outcome outcome = parse(bytes, cut);

		if (last.result != PROXY_HEADER_MORE)
			assert_int_equal(outcome.result, last.result);
		if (last.result == PROXY_HEADER_FOUND)
			assert_memory_equal(&outcome, &last, sizeof(last));
		else if (outcome.result == PROXY_HEADER_FOUND)
			assert_int_equal(outcome.answer.length, cut);
		last = outcome;
	}
}

static void mutations_are_answered_consistently(void **state)
{
	uint32_t round, changes;

	(void)state;
	for (round = 0; round < 4000; round++) {
		struct header header = header_of(good[random_below(COUNT(good))].text);

		for (changes = random_below(4); changes > 0; changes--) {
			size_t at = random_below((uint32_t)header.length);

			switch (random_below(4)) {
			case 0:
				header.bytes[at] = (uint8_t)random_below(256);
				break;
			case 1:
				header.bytes[at] ^= (uint8_t)(1 << random_below(8));
				break;
			case 2: /* repeat a byte */
				memmove(header.bytes + at + 1, header.bytes + at,
					header.length++ - at);
				break;
			default: /* remove a byte */
				memmove(header.bytes + at, header.bytes + at + 1,
					--header.length - at);
			}
		}
		check_consistent(header.bytes, header.length);
	}
}

/* Write an IPv6 address in one of its possible forms. Returns the end of the text. */
static char *write_v6(char *text)
{
	bool has_dots = random_below(3) == 0, has_gap = random_below(4) > 0;
	uint32_t most = has_dots ? 6 : 8, units = has_gap ? random_below(most) : most;
	uint32_t gap = has_gap ? random_below(units + 1) : UINT32_MAX, i;

	for (i = 0; i <= units; i++) {
		if (i == gap)
			text += sprintf(text, i ? ":" : "::");
		if (i < units) {
			uint32_t value = random_below(1u << (4 + 4 * random_below(4)));
			int width = random_below(2) ? 4 : 1;

			text += random_below(2) ? sprintf(text, "%0*x", width, value)
						: sprintf(text, "%0*X", width, value);
			if (i + 1 < units || i + 1 == gap || has_dots)
				*text++ = ':';
		}
	}
	if (has_dots)
		text += sprintf(text, "%u.%u.%u.%u", random_below(256), random_below(256),
				random_below(256), random_below(256));
	*text = '\0';
	return text;
}

static void all_forms_of_addresses_are_taken(void **state)
{
	uint32_t round, refused = 0;

	(void)state;
	for (round = 0; round < 4000; round++) {
		char line[160] = "PROXY TCP6 ", *source = line + strlen(line), *destination, *end;
		struct sockaddr_in6 expected = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
		struct outcome outcome;
		size_t length;

		destination = write_v6(source) + 1;
		end = write_v6(destination);
		assert_int_equal(inet_pton(AF_INET6, source, &expected.sin6_addr), 1);
		destination[-1] = ' ';
		length = (size_t)(end + sprintf(end, " 80 443\r\n") - line);
		outcome = parse((const uint8_t *)line, length);
		check_consistent((const uint8_t *)line, length);
		if (length > 107) {
			assert_int_equal(outcome.result, PROXY_HEADER_BAD);
			refused++;
			continue;
		}
		assert_int_equal(outcome.result, PROXY_HEADER_FOUND);
		assert_int_equal(outcome.answer.length, length);
		if (!IN6_IS_ADDR_V4MAPPED(&expected.sin6_addr))
			assert_memory_equal(&outcome.answer.client, &expected, sizeof(expected));
	}
	assert_true(refused < 400);
}

/* Append a byte after which the header can still be completed. Returns false if there is none. */
static bool grow(struct header *header)
{
	/* Digits are frequent, so that addresses become long. */
	static const char likely[] = "0123456789abcdefABCDEF:::...111222  \r\n";
	uint32_t tries, value;

	for (tries = 0; tries < 100; tries++) {
		header->bytes[header->length] = (uint8_t)likely[random_below(sizeof(likely) - 1)];
		if (result_of(header->bytes, header->length + 1) != PROXY_HEADER_BAD)
			break;
	}
	for (value = 0; tries == 100 && value < 256; value++) {
		header->bytes[header->length] = (uint8_t)value;
		if (result_of(header->bytes, header->length + 1) != PROXY_HEADER_BAD)
			break;
	}
	header->length++;
	return value < 256;
}

/*
 * After each result of MORE there is a next byte that is not refused, whatever the bytes before it
 * were. The line has a greatest length. So no connection waits for a header that can't be
 * completed.
 */
static void nobody_is_waited_for_in_vain(void **state)
{
#define LONGEST "1111:2222:3333:4444:5555:6666:111.111.111.111"
	static const char *const begins[] = {
		"P",
		"PROXY TCP4 ",
		"PROXY TCP6 ",
		"PROXY UNKNOWN ",
		("PROXY TCP6 " LONGEST " "),
		("PROXY TCP6 " LONGEST " 1111:2222:3333:4444:"),
		("PROXY TCP6 " LONGEST " 1111:2222:3333:4444:5555:6666:11"),
	};
#undef LONGEST
	uint32_t round;

	(void)state;
	for (round = 0; round < 700; round++) {
		struct header header = header_of(begins[round % COUNT(begins)]);

		while (result_of(header.bytes, header.length) == PROXY_HEADER_MORE) {
			if (!grow(&header))
				fail_msg("nothing can follow \"%.*s\"", (int)header.length - 1,
					 (const char *)header.bytes);
		}
		assert_int_equal(result_of(header.bytes, header.length), PROXY_HEADER_FOUND);
		assert_true(header.length <= 107);
	}
}

static int make_guard(void **state)
{
	(void)state;
	return guard_init(&guard, 16 + UINT16_MAX);
}

static int unmake_guard(void **state)
{
	(void)state;
	guard_fini(&guard);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_headers_are_found),
		cmocka_unit_test(every_beginning_is_waited_for),
		cmocka_unit_test(no_byte_is_a_beginning),
		cmocka_unit_test(a_payload_changes_nothing),
		cmocka_unit_test(bad_lines_are_refused),
		cmocka_unit_test(bad_binary_headers_are_refused),
		cmocka_unit_test(a_line_has_107_bytes_at_most),
		cmocka_unit_test(two_addresses_can_be_too_long),
		cmocka_unit_test(a_nul_is_no_end_of_a_field),
		cmocka_unit_test(every_value_of_the_fixed_bytes),
		cmocka_unit_test(every_value_of_the_length),
		cmocka_unit_test(a_changed_bit_breaks_the_checksum),
		cmocka_unit_test(checksums_of_all_lengths_fit),
		cmocka_unit_test(mutations_are_answered_consistently),
		cmocka_unit_test(all_forms_of_addresses_are_taken),
		cmocka_unit_test(nobody_is_waited_for_in_vain),
	};

	return cmocka_run_group_tests(tests, make_guard, unmake_guard);
}
