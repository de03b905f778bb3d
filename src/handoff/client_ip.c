// SPDX-License-Identifier: MIT
#include "handoff/client_ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#define METHOD_MAX 32 /* bytes; the longest registered method has 17 */

/* A part of the head. It may contain NUL bytes. */
struct text {
	const char *start;
	const char *end;
};

enum version { HTTP_0_9, HTTP_1_0, HTTP_1_1, HTTP_2 };

struct http_head {
	enum version version;
	struct text fields; /* the header lines, each with its line end */
	const char *end;    /* the byte after the empty line */
};

/* The facts that the header lines tell. The lines are read from the last to the first. */
struct findings {
	const struct prefixes *trusted;
	bool is_forwarded; /* the header is RFC 7239's */
	bool has_header;
	bool is_over; /* the items further to the left are not believed */
	bool has_client;
	struct sockaddr_storage client; /* the item that was read last */
	bool asks_close;
	bool asks_keep_alive;
	bool asks_upgrade;
};

/* ---- Texts -------------------------------------------------------------------------- */

static size_t length_of(struct text text)
{
	return (size_t)(text.end - text.start);
}

static bool is_word(struct text text, const char *word)
{
	return length_of(text) == strlen(word) && !memcmp(text.start, word, length_of(text));
}

static bool is_word_in_any_case(struct text text, const char *word)
{
	return length_of(text) == strlen(word) && !strncasecmp(text.start, word, length_of(text));
}

/*
 * Is this white space? A line fold counts as white space, and so may a CR alone: RFC 9112, 2.2 and
 * 5.2.
 */
static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct text trim(struct text text)
{
	while (text.start < text.end && is_space(text.start[0]))
		text.start++;
	while (text.start < text.end && is_space(text.end[-1]))
		text.end--;
	return text;
}

/* Is this byte of a quoted string escaped by a backslash that is not escaped itself? */
static bool is_escaped(const char *start, const char *c)
{
	const char *slash = c;

	while (slash > start && slash[-1] == '\\')
		slash--;
	return (c - slash) % 2;
}

/*
 * Cut the last part off a list, together with the separator in front of it. Quoted strings are
 * found from the right: if a client does not close a quote, that quote must not swallow what
 * proxies append to it.
 */
static struct text cut_last_part(struct text *list, char separator)
{
	struct text part = *list;
	const char *c = list->end;
	bool is_quoted = false;

	while (c > list->start) {
		c--;
		if (*c == '"' && !is_escaped(list->start, c))
			is_quoted = !is_quoted;
		if (*c == separator && !is_quoted) {
			part.start = c + 1;
			break;
		}
	}
	list->end = c;
	return part;
}

/* ---- Where the head begins and ends ------------------------------------------------- */

/* Is this a character of a token, by RFC 9110, 5.6.2? */
static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Skip empty lines, as some clients send an extra line end after a body: RFC 9112, 2.2. */
static struct text skip_empty_lines(struct text text)
{
	for (;;) {
		if (length_of(text) >= 1 && text.start[0] == '\n')
			text.start++;
		else if (length_of(text) >= 2 && text.start[0] == '\r' && text.start[1] == '\n')
			text.start += 2;
		else
			return text;
	}
}

/* Can a request line go on, or end, like this? */
static bool is_request_line_so_far(struct text line)
{
	const char *c = line.start;

	if (is_word(line, "\r"))
		/* the CR of an empty line before the request line: its LF may follow */
		return true;
	while (c < line.end && is_token_char(*c))
		c++;
	if (c - line.start > METHOD_MAX)
		return false;
	if (c == line.end)
		return true;
	if (c == line.start || *c != ' ')
		return false;
	while (c < line.end && !is_control(*c))
		c++;
	return c == line.end || (*c == '\r' && c + 1 == line.end);
}

/* Read the version of a complete request line. Returns false if it is not a request line. */
static bool read_version(struct text line, enum version *ret_version)
{
	struct text method, version;

	line = trim(line);
	method = (struct text){line.start, memchr(line.start, ' ', length_of(line))};
	if (!method.end)
		return false;
	version = (struct text){memrchr(line.start, ' ', length_of(line)), line.end};
	if (version.start == method.end) {
		/* RFC 1945, 4.1: HTTP/0.9 has no method but GET. */
		*ret_version = HTTP_0_9;
		return is_word(method, "GET");
	}
	version.start++;
	if (is_word(line, "PRI * HTTP/2.0")) {
		*ret_version = HTTP_2;
		return true;
	}
	*ret_version = is_word(version, "HTTP/1.0") ? HTTP_1_0 : HTTP_1_1;
	return length_of(version) == strlen("HTTP/1.1") && !memcmp(version.start, "HTTP/1.", 7) &&
	       version.start[7] >= '0' && version.start[7] <= '9';
}

/* Find the header lines up to the empty line. Returns false until the empty line has arrived. */
static bool find_fields(struct text text, struct http_head *ret_head)
{
	const char *line = text.start, *lf;

	while ((lf = memchr(line, '\n', (size_t)(text.end - line)))) {
		if (lf == line || (lf == line + 1 && line[0] == '\r')) {
			ret_head->fields = (struct text){text.start, line};
			ret_head->end = lf + 1;
			return true;
		}
		line = lf + 1;
	}
	return false;
}

/* Find the parts of the head. Returns CLIENT_IP_FOUND if the whole head has arrived. */
static enum client_ip_result find_head(struct text text, struct http_head *ret_head)
{
	struct text line = skip_empty_lines(text);
	const char *lf = memchr(line.start, '\n', length_of(line));

	if (lf)
		line.end = lf;
	if (!is_request_line_so_far(line))
		return CLIENT_IP_NOT_HTTP;
	if (!lf)
		return CLIENT_IP_MORE;
	if (!read_version(line, &ret_head->version))
		return CLIENT_IP_NOT_HTTP;
	text.start = lf + 1;
	if (ret_head->version == HTTP_0_9 || ret_head->version == HTTP_2) {
		ret_head->fields = (struct text){text.start, text.start};
		ret_head->end = text.start;
		return CLIENT_IP_FOUND;
	}
	return find_fields(text, ret_head) ? CLIENT_IP_FOUND : CLIENT_IP_MORE;
}

/* ---- Items -------------------------------------------------------------------------- */

static bool read_host(int family, struct text text, void *ret_host)
{
	char host[INET6_ADDRSTRLEN];
	size_t length = length_of(text);

	/* inet_pton() would stop at a NUL, and take "1.2.3.4\0x" for an address. */
	if (length >= sizeof(host) || memchr(text.start, '\0', length))
		return false;
	memcpy(host, text.start, length);
	host[length] = '\0';
	return inet_pton(family, host, ret_host) == 1;
}

static bool read_v4(struct text text, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};

	if (!read_host(AF_INET, text, &v4.sin_addr))
		return false;
	memset(ret_address, 0, sizeof(*ret_address));
	memcpy(ret_address, &v4, sizeof(v4));
	return true;
}

static bool is_zone(struct text text)
{
	while (text.start < text.end && is_token_char(*text.start))
		text.start++;
	return text.start == text.end;
}

/*
 * Read an IPv6 address. A zone ("%eth0") is dropped, as it names an interface of another machine.
 */
static bool read_v6(struct text text, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	const char *percent = memchr(text.start, '%', length_of(text));

	if (percent && (percent + 1 == text.end || !is_zone((struct text){percent + 1, text.end})))
		return false;
	if (percent)
		text.end = percent;
	if (!read_host(AF_INET6, text, &v6.sin6_addr))
		return false;
	memset(ret_address, 0, sizeof(*ret_address));
	if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
		memcpy(&v4.sin_addr, &v6.sin6_addr.s6_addr[12], sizeof(v4.sin_addr));
		memcpy(ret_address, &v4, sizeof(v4));
	} else {
		memcpy(ret_address, &v6, sizeof(v6));
	}
	return true;
}

/* Is this text a ":" and digits? */
static bool is_port(struct text text)
{
	const char *c;

	if (length_of(text) < 2 || text.start[0] != ':')
		return false;
	for (c = text.start + 1; c < text.end; c++)
		if (*c < '0' || *c > '9')
			return false;
	return true;
}

static bool read_bracketed(struct text text, struct sockaddr_storage *ret_address)
{
	struct text host = {text.start + 1, memchr(text.start, ']', length_of(text))};
	struct text port = {host.end ? host.end + 1 : NULL, text.end};

	if (!host.end || (port.start < port.end && !is_port(port)))
		return false;
	return read_v6(host, ret_address);
}

/* Read an address in one of the forms that proxies write. */
static bool read_node(struct text text, struct sockaddr_storage *ret_address)
{
	const char *colon;
	struct text port = {NULL, NULL};

	if (length_of(text) >= 2 && text.start[0] == '"' && text.end[-1] == '"') {
		text.start++;
		text.end--;
	}
	if (text.start < text.end && text.start[0] == '[')
		return read_bracketed(text, ret_address);
	colon = memchr(text.start, ':', length_of(text));
	if (!colon)
		return read_v4(text, ret_address);
	if (colon != memrchr(text.start, ':', length_of(text)))
		return read_v6(text, ret_address);
	port = (struct text){colon, text.end};
	text.end = colon;
	return is_port(port) && read_v4(text, ret_address);
}

/*
 * Find the for= parameter of an element, as in "for=1.2.3.4;proto=http;by=...": RFC 7239, 4.
 * Returns false unless there is exactly one.
 */
static bool find_for(struct text element, struct text *ret_node)
{
	unsigned int count = 0;

	while (element.start < element.end) {
		struct text pair = trim(cut_last_part(&element, ';'));

		if (length_of(pair) < 4 || strncasecmp(pair.start, "for=", 4))
			continue;
		*ret_node = (struct text){pair.start + 4, pair.end};
		count++;
	}
	return count == 1;
}

/* ---- Header lines ------------------------------------------------------------------- */

static void pass_item(struct findings *findings, struct text item)
{
	if ((findings->is_forwarded && !find_for(item, &item)) ||
	    !read_node(item, &findings->client)) {
		findings->is_over = true;
		return;
	}
	findings->has_client = true;
	findings->is_over = !prefixes_contain(findings->trusted, (const void *)&findings->client);
}

static void read_list(struct findings *findings, struct text list)
{
	while (!findings->is_over && list.start < list.end) {
		struct text item = trim(cut_last_part(&list, ','));

		if (item.start < item.end)
			pass_item(findings, item);
	}
}

static void read_connection(struct findings *findings, struct text list)
{
	while (list.start < list.end) {
		struct text option = trim(cut_last_part(&list, ','));

		findings->asks_close |= is_word_in_any_case(option, "close");
		findings->asks_keep_alive |= is_word_in_any_case(option, "keep-alive");
		findings->asks_upgrade |= is_word_in_any_case(option, "upgrade");
	}
}

/*
 * Cut off the last field, with the lines that continue it. Lines that continue the request line
 * become a field without a name.
 */
static struct text cut_last_field(struct text *fields)
{
	struct text field = *fields;
	const char *lf, *end = fields->end;

	do {
		lf = memrchr(fields->start, '\n', (size_t)(end - 1 - fields->start));
		end = lf ? lf + 1 : fields->start;
	} while (lf && (end[0] == ' ' || end[0] == '\t'));
	field.start = fields->end = end;
	return field;
}

static bool is_field(struct text field, const char *name, struct text *ret_value)
{
	size_t length = strlen(name);

	if (length_of(field) <= length || field.start[length] != ':' ||
	    strncasecmp(field.start, name, length))
		return false;
	*ret_value = (struct text){field.start + length + 1, field.end};
	return true;
}

static void read_fields(struct findings *findings, struct text fields, const char *header)
{
	struct text value;

	while (fields.start < fields.end) {
		struct text field = cut_last_field(&fields);

		if (is_field(field, "Connection", &value))
			read_connection(findings, value);
		if (is_field(field, header, &value)) {
			findings->has_header = true;
			read_list(findings, value);
		}
	}
}

/*
 * Does the connection stay open for more requests, by RFC 9112, 9.3? In HTTP/0.9 and HTTP/2 no
 * header line was read that could ask for this.
 */
static bool keeps_alive(enum version version, const struct findings *findings)
{
	if (findings->asks_close || findings->asks_upgrade)
		return false;
	return version == HTTP_1_1 || findings->asks_keep_alive;
}

enum client_ip_result client_ip_find(const char *head, size_t length, const char *header,
				     const struct prefixes *trusted, const struct sockaddr *peer,
				     struct client_ip_answer *ret_answer)
{
	struct findings findings = {
		.trusted = trusted,
		.is_forwarded = !strcasecmp(header, "Forwarded"),
		.is_over = !prefixes_contain(trusted, peer),
	};
	enum client_ip_result result;
	struct http_head found;

	if (!length)
		return CLIENT_IP_MORE;
	result = find_head((struct text){head, head + length}, &found);
	if (result != CLIENT_IP_FOUND)
		return result;
	read_fields(&findings, found.fields, header);
	*ret_answer = (struct client_ip_answer){
		.keeps_alive = keeps_alive(found.version, &findings),
		.has_header = findings.has_header,
		.head_bytes = (size_t)(found.end - head),
	};
	if (!findings.has_client)
		return CLIENT_IP_NONE;
	ret_answer->client = findings.client;
	return CLIENT_IP_FOUND;
}
