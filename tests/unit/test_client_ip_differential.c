// SPDX-License-Identifier: MIT
/*
 * Heads of requests are drawn from a grammar, and then changed at random. They are read by
 * src/handoff/client_ip.c and by http_parser (Debian's libhttp-parser 2.9.4, built with
 * HTTP_PARSER_STRICT=0, which Node.js and many servers used). If http_parser completes the headers,
 * or waits for more of them, the two must agree about:
 *
 * - the end of the head;
 * - the client, by tests/support/oracle.c, over the fields that http_parser reports;
 * - whether the connection is kept, by http_should_keep_alive(), and by RFC 9112, 9.3.
 *
 * By the definition of client_ip.h a connection is not kept if the request asks for an upgrade. The
 * result of http_parser is combined with that.
 *
 * The exceptions are listed in `classes`, each with the parser that is right, and why. Heads that
 * http_parser refuses are not compared: the worker refuses requests, and client_ip.c is only used
 * to choose the worker.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <http_parser.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "handoff/client_ip.h"
#include "../support/guard.h"
#include "../support/heads.h"
#include "../support/oracle.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define XFF	     "X-Forwarded-For"
#define PROXY	     0x0a000001 /* 10.0.0.1, the peer */
#define HEADS	     30000
#define MUTATIONS    6 /* number for each head */
#define FIELDS_MAX   64

/* ---- The result of http_parser ---------------------------------------------------------- */

enum outcome { REFUSED, MORE, COMPLETE };

struct reference {
	enum outcome outcome;
	size_t head_bytes;
	unsigned int major, minor;
	bool keeps_alive;
	unsigned int count;
	struct oracle_field fields[FIELDS_MAX];
};

static int note_name(http_parser *parser, const char *at, size_t length)
{
	struct reference *reference = parser->data;
	struct oracle_field *field = &reference->fields[reference->count++];

	assert_true(reference->count <= FIELDS_MAX && length < sizeof(field->name));
	memcpy(field->name, at, length);
	field->name[length] = '\0';
	field->value[0] = '\0';
	field->pieces = 0;
	return 0;
}

/*
 * Note a part of a value. http_parser accepts a NUL at its beginning. client_ip.c treats a NUL like
 * any other byte.
 */
static int note_value(http_parser *parser, const char *at, size_t length)
{
	struct reference *reference = parser->data;
	struct oracle_field *field = &reference->fields[reference->count - 1];
	size_t before = strlen(field->value), i;

	assert_true(reference->count && before + length < sizeof(field->value));
	for (i = 0; i < length; i++)
		field->value[before + i] = at[i] ? at[i] : '\1';
	field->value[before + length] = '\0';
	field->pieces++;
	return 0;
}

static int note_end(http_parser *parser)
{
	struct reference *reference = parser->data;

	reference->outcome = COMPLETE;
	reference->keeps_alive = http_should_keep_alive(parser);
	http_parser_pause(parser, 1);
	return 0;
}

static void ask_reference(const char *head, size_t length, struct reference *ret)
{
	http_parser_settings settings;
	http_parser parser;
	size_t taken;

	http_parser_settings_init(&settings);
	settings.on_header_field = note_name;
	settings.on_header_value = note_value;
	settings.on_headers_complete = note_end;
	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = ret;
	ret->outcome = MORE;
	ret->count = 0;
	taken = http_parser_execute(&parser, &settings, head, length);
	if (ret->outcome == COMPLETE)
		ret->head_bytes = taken + 1; /* http_parser stops in front of the last byte */
	else if (HTTP_PARSER_ERRNO(&parser) != HPE_OK)
		ret->outcome = REFUSED;
	ret->major = parser.http_major;
	ret->minor = parser.http_minor;
}

/* ---- One head, read by both ---------------------------------------------------------------- */

struct sample {
	const char *head;
	size_t length;
	enum client_ip_result result;
	struct client_ip_answer answer;
	struct reference reference;
	struct oracle expected;
};

static struct guard guard;
static struct prefixes trusted;

static void ask_both(struct sample *sample, const char *head, size_t length)
{
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(PROXY)};
	unsigned int i;

	sample->head = guard_at_end(&guard, head, length);
	sample->length = length;
	sample->result = client_ip_find(sample->head, length, XFF, &trusted, (const void *)&peer,
					&sample->answer);
	ask_reference(sample->head, length, &sample->reference);
	sample->expected = (struct oracle){0};
	for (i = 0; i < sample->reference.count; i++)
		oracle_add(&sample->expected, &sample->reference.fields[i]);
}

static bool is_complete(const struct sample *sample)
{
	return sample->result == CLIENT_IP_FOUND || sample->result == CLIENT_IP_NONE;
}

/*
 * Is this the client that client_ip.c has found? A mapped address must have been converted to IPv4.
 */
static bool is_client(const struct sample *sample, const struct in6_addr *expected)
{
	const struct sockaddr_in6 *v6 = (const void *)&sample->answer.client;
	const struct sockaddr_in *v4 = (const void *)&sample->answer.client;

	if (IN6_IS_ADDR_V4MAPPED(expected))
		return v4->sin_family == AF_INET &&
		       !memcmp(&v4->sin_addr, &expected->s6_addr[12], 4);
	return v6->sin6_family == AF_INET6 && IN6_ARE_ADDR_EQUAL(&v6->sin6_addr, expected);
}

enum difference {
	NO_DIFFERENCE,
	ABOUT_THE_END,	   /* the end of the head, or whether it is a head at all */
	ABOUT_THE_CLIENT,  /* client_ip.c and the oracle over http_parser's fields */
	ABOUT_RFC_KEEPING, /* likewise, about whether the connection is kept */
	ABOUT_KEEPING,	   /* client_ip.c and http_should_keep_alive() */
};

static bool keeps_by_rfc(const struct sample *sample)
{
	const struct oracle *expected = &sample->expected;

	return !expected->asks_close && !expected->asks_upgrade &&
	       (sample->reference.minor > 0 || expected->asks_keep_alive);
}

static enum difference compare_ends(const struct sample *sample)
{
	if (sample->reference.outcome == MORE)
		return sample->result == CLIENT_IP_MORE ? NO_DIFFERENCE : ABOUT_THE_END;
	return is_complete(sample) && sample->answer.head_bytes == sample->reference.head_bytes
		       ? NO_DIFFERENCE
		       : ABOUT_THE_END;
}

static bool is_same_client(const struct sample *sample)
{
	const struct oracle *expected = &sample->expected;

	if (sample->answer.has_header != expected->has_header ||
	    (sample->result == CLIENT_IP_FOUND) != expected->has_client)
		return false;
	return !expected->has_client || is_client(sample, &expected->client);
}

static enum difference compare(const struct sample *sample)
{
	enum difference difference;

	if (sample->reference.outcome == REFUSED)
		return NO_DIFFERENCE;
	difference = compare_ends(sample);
	if (difference != NO_DIFFERENCE || sample->reference.outcome == MORE)
		return difference;
	if (!is_same_client(sample))
		return ABOUT_THE_CLIENT;
	if (sample->answer.keeps_alive != keeps_by_rfc(sample))
		return ABOUT_RFC_KEEPING;
	return sample->answer.keeps_alive ==
			       (sample->reference.keeps_alive && !sample->expected.asks_upgrade)
		       ? NO_DIFFERENCE
		       : ABOUT_KEEPING;
}

/* ---- Allowed differences ------------------------------------------------------------------- */

/* Is there a CR without an LF in the part that http_parser has read? */
static bool has_cr_alone(const struct sample *sample)
{
	size_t end = sample->reference.outcome == COMPLETE ? sample->reference.head_bytes
							   : sample->length;
	size_t i;

	for (i = 0; i + 1 < end; i++)
		if (sample->head[i] == '\r' && sample->head[i + 1] != '\n')
			return true;
	return false;
}

static const char *request_line(const struct sample *sample, size_t *ret_length)
{
	const char *line = sample->head, *end = line + sample->length, *lf;

	while (line < end && (*line == '\r' || *line == '\n'))
		line++;
	lf = memchr(line, '\n', (size_t)(end - line));
	*ret_length = (size_t)((lf ? lf : end) - line);
	return line;
}

static bool has_control_in_target(const struct sample *sample)
{
	size_t length, i;
	const char *line = request_line(sample, &length);

	for (i = 0; i < length; i++)
		if (line[i] == '\t' || line[i] == '\f')
			return sample->result == CLIENT_IP_NOT_HTTP;
	return false;
}

static bool is_http_0_9(const struct sample *sample)
{
	size_t length;
	const char *line = request_line(sample, &length);

	return sample->reference.major == 0 && sample->reference.minor == 9 &&
	       !memmem(line, length, " HTTP/", 6);
}

static bool is_another_major(const struct sample *sample)
{
	return sample->reference.major != 1 && sample->result == CLIENT_IP_NOT_HTTP;
}

static bool is_misspelt(const struct sample *sample)
{
	size_t length;
	const char *line = request_line(sample, &length);

	return sample->result == CLIENT_IP_NOT_HTTP && !memmem(line, length, " HTTP/", 6);
}

static bool is_proxy_connection(const struct oracle_field *field)
{
	return !strncasecmp(field->name, "Proxy-Connection", 16) &&
	       strspn(field->name + 16, " ") == strlen(field->name + 16);
}

static bool is_spaced(const struct oracle_field *field)
{
	return !strncasecmp(field->name, "Connection ", 11) &&
	       strspn(field->name + 10, " ") == strlen(field->name + 10);
}

static bool is_folded(const struct oracle_field *field)
{
	return oracle_is_named(field, "Connection") && field->pieces > 1;
}

static bool has_tab(const struct oracle_field *field)
{
	return oracle_is_named(field, "Connection") && strchr(field->value, '\t');
}

/* Is there an option that is empty, or does not begin like a token? */
static bool has_no_token(const struct oracle_field *field)
{
	const char *c = field->value;

	if (!oracle_is_named(field, "Connection"))
		return false;
	do {
		c += strspn(c, " \t");
		if (!isalnum((unsigned char)*c) && !(*c && strchr("!#$%&'*+-.^_`|~", *c)))
			return true;
		c = strchr(c, ',');
	} while (c++);
	return false;
}

/*
 * Is there an option that is the beginning of one that http_parser knows, with another option
 * behind it?
 */
static bool has_beginning(const struct oracle_field *field)
{
	static const char *const known[] = {"close", "keep-alive", "upgrade"};
	const char *c = field->value, *comma;
	size_t i;

	for (; oracle_is_named(field, "Connection") && (comma = strchr(c, ',')); c = comma + 1) {
		c += strspn(c, " \t");
		for (i = 0; i < COUNT(known); i++)
			if ((size_t)(comma - c) < strlen(known[i]) &&
			    !strncasecmp(c, known[i], (size_t)(comma - c)))
				return true;
	}
	return false;
}

static bool has_quote(const struct oracle_field *field)
{
	return oracle_is_named(field, "Connection") && strchr(field->value, '"');
}

static bool asks_for_both_by_1_0(const struct sample *sample)
{
	return sample->reference.minor == 0 && sample->expected.asks_close &&
	       sample->expected.asks_keep_alive && !sample->answer.keeps_alive;
}

/*
 * The first class that applies to the whole head or to one of its fields is counted. A class of
 * ABOUT_KEEPING can't hide a fault of client_ip.c, as ABOUT_RFC_KEEPING is compared first.
 */
static const struct {
	enum difference difference;
	const char *what;
	bool (*applies)(const struct sample *sample);
	bool (*applies_to)(const struct oracle_field *field);
} classes[] = {
	/*
	 * When it is not strict, http_parser takes a CR and any byte behind it for a line end, both
	 * behind the last line and behind the colon of a name. It takes CRs in front of the request
	 * for empty lines. By RFC 9112, 2.2, a CR alone is invalid or counts as a space, and never
	 * ends a line. client_ip.c is right: with http_parser a value could contain a header line.
	 */
	{ABOUT_THE_END, "a CR alone ends nothing", has_cr_alone, NULL},
	{ABOUT_THE_CLIENT, "a CR alone is a space", has_cr_alone, NULL},
	{ABOUT_RFC_KEEPING, "a CR alone in a Connection", has_cr_alone, NULL},
	/*
	 * RFC 9112, 3.2 and RFC 3986: a target has no tab and no form feed. client_ip.c is right.
	 */
	{ABOUT_THE_END, "a control character in the target", has_control_in_target, NULL},
	/*
	 * "GET /path" CRLF is a whole request by RFC 1945, 4.1, but http_parser reads header lines
	 * behind it. client_ip.c is right, and the worker gets every byte either way.
	 */
	{ABOUT_THE_END, "HTTP/0.9 has no header lines", is_http_0_9, NULL},
	/*
	 * RFC 9110, 2.5: another major version has another syntax. client_ip.c does not take it for
	 * HTTP.
	 */
	{ABOUT_THE_END, "another major version", is_another_major, NULL},
	/*
	 * RFC 9112, 2.3: HTTP is written in capitals. When it is not strict, http_parser checks
	 * only the H.
	 */
	{ABOUT_THE_END, "another word for HTTP", is_misspelt, NULL},

	/*
	 * client_ip.c takes quoted strings as a whole in every list. By RFC 9110, 7.6.1, an option
	 * is a token: a quote is an error for which there is no rule. Neither parser is right.
	 */
	{ABOUT_RFC_KEEPING, "a quote in a Connection", NULL, has_quote},

	/* RFC 9112, 9.3: close comes first. http_parser only looks for keep-alive. */
	{ABOUT_KEEPING, "HTTP/1.0 with close and keep-alive", asks_for_both_by_1_0, NULL},
	/*
	 * Proxy-Connection is another field than Connection: RFC 9112, C.2.2, warns of it.
	 * client_ip.c is right.
	 */
	{ABOUT_KEEPING, "Proxy-Connection is no Connection", NULL, is_proxy_connection},
	/*
	 * RFC 9112, 5.1: a server must refuse a space behind the name. client_ip.c takes it for
	 * another name. Both are allowed.
	 */
	{ABOUT_KEEPING, "a space behind the name", NULL, is_spaced},
	/* "clos, close": http_parser overlooks this comma. client_ip.c is right. */
	{ABOUT_KEEPING, "the beginning of an option", NULL, has_beginning},
	/*
	 * RFC 9110, 5.6.1.2: an empty element is ignored. http_parser also ignores what follows it.
	 * client_ip.c is right. There is no rule for other bytes that are not a token.
	 */
	{ABOUT_KEEPING, "an option that is no token", NULL, has_no_token},
	/*
	 * RFC 9112, 5.2: a fold counts as a space. http_parser forgets the option in front of it.
	 */
	{ABOUT_KEEPING, "a folded Connection", NULL, is_folded},
	/* RFC 9110, 5.6.3: a tab is white space. Behind an option http_parser only knows spaces. */
	{ABOUT_KEEPING, "a tab behind an option", NULL, has_tab},
};

static bool belongs_to(const struct sample *sample, size_t class)
{
	unsigned int i;

	if (classes[class].applies)
		return classes[class].applies(sample);
	for (i = 0; i < sample->reference.count; i++)
		if (classes[class].applies_to(&sample->reference.fields[i]))
			return true;
	return false;
}

static unsigned int class_counts[COUNT(classes)];
static unsigned int outcome_counts[COMPLETE + 1];
static unsigned int found_count;

static void print_escaped(const struct sample *sample)
{
	char text[4 * HEAD_DRAFT_MAX + 1], *to = text;
	size_t i;

	for (i = 0; i < sample->length; i++) {
		unsigned char c = (unsigned char)sample->head[i];

		to += sprintf(to, c < 0x20 || c >= 0x7f || c == '\\' ? "\\x%02x" : "%c", c);
	}
	print_error("%s\n", text);
}

static void check(const char *head, size_t length)
{
	static struct sample sample;
	enum difference difference;
	size_t i;

	ask_both(&sample, head, length);
	outcome_counts[sample.reference.outcome]++;
	found_count += sample.reference.outcome == COMPLETE && sample.result == CLIENT_IP_FOUND;
	difference = compare(&sample);
	if (difference == NO_DIFFERENCE)
		return;
	for (i = 0; i < COUNT(classes); i++) {
		if (classes[i].difference == difference && belongs_to(&sample, i)) {
			class_counts[i]++;
			return;
		}
	}
	print_escaped(&sample);
	fail_msg("a difference of kind %d: we say %d, end at %zu, keep %d; it says %d, %zu, %d",
		 (int)difference, (int)sample.result, sample.answer.head_bytes,
		 sample.answer.keeps_alive, (int)sample.reference.outcome,
		 sample.reference.head_bytes, sample.reference.keeps_alive);
}

/* ---- Tests --------------------------------------------------------------------------------- */

static void check_head_and_mutations(void)
{
	struct head_draft draft, changed;
	unsigned int i;

	head_draw(&draft);
	check(draft.bytes, draft.length);
	for (i = 0; i < MUTATIONS; i++) {
		changed = draft;
		head_mutate(&changed);
		check(changed.bytes, changed.length);
	}
}

static void both_read_the_same(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < HEADS; i++)
		check_head_and_mutations();
	print_message("# http_parser: %u complete (%u with a client), %u wait, %u refused\n",
		      outcome_counts[COMPLETE], found_count, outcome_counts[MORE],
		      outcome_counts[REFUSED]);
	assert_true(outcome_counts[COMPLETE] > HEADS);
	assert_true(found_count > HEADS / 2);
}

/* If no head belongs to a class any more, the class must be removed from the list. */
static void every_class_occurs(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(classes); i++)
		print_message("# %6u %s\n", class_counts[i], classes[i].what);
	for (i = 0; i < COUNT(classes); i++)
		if (!class_counts[i])
			fail_msg("nothing falls into the class \"%s\"", classes[i].what);
}

static int set_up(void **state)
{
	size_t count;
	const struct sticky_prefix *list = prefixes_default(&count);

	(void)state;
	return oracle_init() || guard_init(&guard, HEAD_DRAFT_MAX) ||
	       prefixes_init(&trusted, list, count);
}

static int tear_down(void **state)
{
	(void)state;
	oracle_fini();
	prefixes_fini(&trusted);
	guard_fini(&guard);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_read_the_same),
		cmocka_unit_test(every_class_occurs),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
