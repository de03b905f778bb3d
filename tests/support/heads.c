// SPDX-License-Identifier: MIT
#include "heads.h"

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint32_t random_below(uint32_t limit)
{
	static uint64_t x = 0x9e3779b97f4a7c15ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 32) % limit;
}

static void append_bytes(struct head_draft *draft, const char *bytes, size_t length)
{
	assert(draft->length + length < sizeof(draft->bytes));
	memcpy(draft->bytes + draft->length, bytes, length);
	draft->length += length;
}

static void append(struct head_draft *draft, const char *text)
{
	append_bytes(draft, text, strlen(text));
}

/* Append one of the texts, which are separated by '|'. */
static void append_one(struct head_draft *draft, const char *texts)
{
	uint32_t count = 1;
	const char *bar;

	for (bar = texts; (bar = strchr(bar, '|')); bar++)
		count++;
	for (count = random_below(count); count > 0; count--)
		texts = strchr(texts, '|') + 1;
	append_bytes(draft, texts, strcspn(texts, "|"));
}

/* Append a line end. One in eight differs from the usual line end of this head. */
static void append_line_end(struct head_draft *draft)
{
	bool is_lf = draft->has_lf_only != (random_below(8) == 0);

	append(draft, is_lf ? "\n" : "\r\n");
}

static void append_space(struct head_draft *draft)
{
	append_one(draft, "||| | |\t|  | \t ");
	if (random_below(24) == 0) {
		append_line_end(draft);
		append_one(draft, " |\t|   ");
	}
}

/* Change the case of letters in the text behind `from`. */
static void change_case(struct head_draft *draft, size_t from)
{
	uint32_t how = random_below(4);

	for (; from < draft->length; from++) {
		char *c = &draft->bytes[from];

		if (how == 1 || (how == 3 && random_below(2)))
			*c = (char)toupper((unsigned char)*c);
		else if (how == 2)
			*c = (char)tolower((unsigned char)*c);
	}
}

static void append_list(struct head_draft *draft, void (*append_item)(struct head_draft *draft))
{
	uint32_t count = random_below(5);

	append_space(draft);
	while (count-- > 0) {
		append_item(draft);
		append_space(draft);
		if (count) {
			append(draft, ",");
			append_space(draft);
		}
	}
}

static void append_address(struct head_draft *draft)
{
	append_one(draft, "203.0.113.9|198.51.100.7:4711|2001:db8::1|[2001:db8::2]:443|"
			  "[2001:db8::3]|\"[::ffff:203.0.113.10]\"|\"198.51.100.8\"|10.1.2.3|"
			  "10.0.0.9|127.0.0.1:80|172.31.255.1|172.32.0.1|192.168.7.7|169.254.0.1|"
			  "fe80::1%eth0|\"[fd00::7]:4711\"|::1|::ffff:10.0.0.2|unknown|_hidden|"
			  "1.2.3.4.5|1.2.3|[::1|\"a, 203.0.113.1\"|\"\\\"\"|1.2.3.4:||");
}

static void append_option(struct head_draft *draft)
{
	size_t from = draft->length;

	append_one(draft, "close|close|keep-alive|keep-alive|keep-alive|upgrade|upgrade|TE|TE|TE|"
			  "closed|clos|not close|close keep-alive|\"close\"|HTTP2-Settings|@|");
	change_case(draft, from);
}

static void append_any_field(struct head_draft *draft)
{
	size_t from = draft->length;

	append_one(draft, "Host: example.org|Accept:*/*|A:|Forwarded: for=_a|X: a:b|Te: trailers|"
			  "X-Forwarded-For-Not: 203.0.113.1|X-Forwarded-Fo: ::2|X-Real-IP: ::3|"
			  "Upgrade: websocket|Content-Length: 12|Transfer-Encoding: chunked|"
			  "Cookie: a=\"b, c|User-Agent: \xc3\xa4 (x; \"y)|!#$%&'*+-.^_`~: token");
	change_case(draft, from);
	append_space(draft);
}

static void append_name(struct head_draft *draft, const char *name)
{
	size_t from = draft->length;

	append(draft, name);
	change_case(draft, from);
	append(draft, random_below(40) ? ":" : " :");
}

static void append_field(struct head_draft *draft)
{
	switch (random_below(8)) {
	case 0:
	case 1:
	case 2:
		append_name(draft, "X-Forwarded-For");
		append_list(draft, append_address);
		break;
	case 3:
	case 4:
		append_name(draft, random_below(20) ? "Connection" : "Proxy-Connection");
		append_list(draft, append_option);
		break;
	default:
		append_any_field(draft);
	}
	append_line_end(draft);
}

static void append_request_line(struct head_draft *draft)
{
	append_one(draft, "|||\r\n|\n|\r\n\n");
	append_one(draft, "GET |GET |POST |OPTIONS |M-SEARCH |PROPFIND |GET  ");
	append_one(draft, "/|/path?query=\"1\"|*|http://example.org:80/a|/\xc3\xa4");
	if (random_below(64))
		append_one(draft, " HTTP/1.1| HTTP/1.1| HTTP/1.1| HTTP/1.0|  HTTP/1.0| HTTP/1.7");
	append_line_end(draft);
}

void head_draw(struct head_draft *draft)
{
	uint32_t fields = random_below(10);

	draft->length = 0;
	draft->has_lf_only = random_below(4) == 0;
	append_request_line(draft);
	while (fields-- > 0)
		append_field(draft);
	append_line_end(draft);
	/* Text behind the head belongs to no header. */
	append_one(draft, "||hello, world|\r\n|X-Forwarded-For: 203.0.113.99\r\n\r\n|"
			  "c\r\nhello, world\r\n0\r\n\r\n|\n\nConnection: close\n\n");
}

static void insert(struct head_draft *draft, size_t at, const char *bytes, size_t length)
{
	if (draft->length + length >= sizeof(draft->bytes))
		return;
	memmove(draft->bytes + at + length, draft->bytes + at, draft->length - at);
	memcpy(draft->bytes + at, bytes, length);
	draft->length += length;
}

static void change(struct head_draft *draft)
{
	static const char likely[] = "\r\n\n \t,,::;\"\\[]%./0129afFX-\x01\x7f\xff";
	size_t at = random_below((uint32_t)draft->length);
	/* the string's NUL is one of the choices */
	const char *byte = &likely[random_below(sizeof(likely))];
	char slice[64];
	size_t size = 1 + random_below((uint32_t)COUNT(slice));

	switch (random_below(7)) {
	case 0:
		draft->bytes[at] = *byte;
		break;
	case 1:
		draft->bytes[at] = (char)(draft->bytes[at] ^ 1 << random_below(8));
		break;
	case 2:
		insert(draft, at, byte, 1);
		break;
	case 3:
		insert(draft, at, &"\r\n\t"[random_below(2)], 1 + random_below(2));
		break;
	case 4: /* insert a piece of the head at another place */
		size = size < draft->length - at ? size : draft->length - at;
		memcpy(slice, draft->bytes + at, size);
		insert(draft, random_below((uint32_t)draft->length), slice, size);
		break;
	case 5:
		draft->length = at + 1; /* the rest has not arrived yet */
		break;
	default:
		memmove(draft->bytes + at, draft->bytes + at + 1, draft->length - at - 1);
		draft->length -= draft->length > 1;
	}
}

void head_mutate(struct head_draft *draft)
{
	uint32_t changes;

	for (changes = 1 + random_below(3); changes > 0; changes--)
		change(draft);
}
