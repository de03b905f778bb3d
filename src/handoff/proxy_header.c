// SPDX-License-Identifier: MIT
#include "handoff/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char no_header[] = "no PROXY header";

static enum proxy_header_result proxy_header_refuse(const char *why, const char **ret_why)
{
	*ret_why = why;
	return PROXY_HEADER_BAD;
}

static void set_v4(const void *address, in_port_t port, struct sockaddr_storage *ret_endpoint)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};

	memcpy(&v4.sin_addr, address, sizeof(v4.sin_addr));
	memcpy(ret_endpoint, &v4, sizeof(v4));
}

/* Set an endpoint, which is all zero before. Address and port are in network order. */
static void set_endpoint(int family, const void *address, in_port_t port,
			 struct sockaddr_storage *ret_endpoint)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};

	if (family == AF_INET) {
		set_v4(address, port, ret_endpoint);
		return;
	}
	memcpy(&v6.sin6_addr, address, sizeof(v6.sin6_addr));
	if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
		set_v4(v6.sin6_addr.s6_addr + 12, port, ret_endpoint);
	else
		memcpy(ret_endpoint, &v6, sizeof(v6));
}

/* ---- Version 1: a line of text ------------------------------------------------------ */

#define LINE_MAX_SIZE 107 /* with its CR and LF */
#define IMPOSSIBLE    SIZE_MAX

enum field {
	FIELD_SOURCE,
	FIELD_DESTINATION,
	FIELD_SOURCE_PORT,
	FIELD_DESTINATION_PORT,
	FIELD_COUNT
};

static const struct {
	char end;
	uint8_t behind; /* least number of bytes that follow this field */
	const char *why;
} fields[FIELD_COUNT] = {
	[FIELD_SOURCE] = {' ', 9, "bad source address"},
	[FIELD_DESTINATION] = {' ', 6, "bad destination address"},
	[FIELD_SOURCE_PORT] = {' ', 4, "bad source port"},
	[FIELD_DESTINATION_PORT] = {'\r', 2, "bad destination port"},
};

/*
 * A buffer for an address as text and one more byte. An address that fills all of it is too long.
 */
struct field_text {
	char text[INET6_ADDRSTRLEN + 1];
};

/*
 * Returns the least number of bytes that complete this text to an address; IMPOSSIBLE: no bytes do.
 * Every beginning of an address is completed by one of these endings. The shortest is tried first.
 */
static size_t address_lacks(int family, const char *text)
{
	static const char *const endings[] = {
		"", "0", ":", ".0", "::", "0.0", ".0.0", "0.0.0", ".0.0.0", "0.0.0.0"};
	char whole[sizeof(struct field_text) + sizeof("0.0.0.0")];
	struct in6_addr ignored;
	size_t i;

	for (i = 0; i < COUNT(endings); i++) {
		strcpy(stpcpy(whole, text), endings[i]);
		if (inet_pton(family, whole, &ignored) == 1)
			return strlen(endings[i]);
	}
	return IMPOSSIBLE;
}

/*
 * Returns the least number of bytes that complete this text to a port; IMPOSSIBLE: no bytes do. The
 * beginning of a port is a port itself, unless it is empty.
 */
static size_t port_lacks(const char *text, uint16_t *ret_port)
{
	uint32_t port = 0;
	size_t i;

	if (!text[0])
		return 1;
	for (i = 0; text[i]; i++) {
		if (text[i] < '0' || text[i] > '9' || (i > 0 && port == 0))
			return IMPOSSIBLE;
		port = port * 10 + (uint32_t)(text[i] - '0');
		if (port > UINT16_MAX)
			return IMPOSSIBLE;
	}
	*ret_port = (uint16_t)port;
	return 0;
}

/* Copy a field. Returns false if it is too long, or has a NUL in it. */
static bool copy_field(const uint8_t *bytes, size_t size, struct field_text *ret_text)
{
	if (size >= sizeof(ret_text->text) || memchr(bytes, '\0', size))
		return false;
	memcpy(ret_text->text, bytes, size);
	ret_text->text[size] = '\0';
	return true;
}

static size_t field_lacks(enum field field, int family, const char *text)
{
	uint16_t ignored;

	return field <= FIELD_DESTINATION ? address_lacks(family, text)
					  : port_lacks(text, &ignored);
}

/* A line for TCP, as far as it has arrived, and the position up to which it has been read. */
struct line {
	int family;
	const uint8_t *bytes;
	size_t length;
	size_t at;
};

/*
 * Take one field of a line that may be incomplete. Returns FOUND if the field is complete and
 * valid; line->at is then behind its end.
 */
static enum proxy_header_result take_field(struct line *line, enum field field,
					   struct field_text *ret_text, const char **ret_why)
{
	const uint8_t *begin = line->bytes + line->at;
	const uint8_t *end = memchr(begin, fields[field].end, line->length - line->at);
	size_t size = end ? (size_t)(end - begin) : line->length - line->at, lacks;

	if (!copy_field(begin, size, ret_text))
		return proxy_header_refuse(fields[field].why, ret_why);
	lacks = field_lacks(field, line->family, ret_text->text);
	if (lacks == IMPOSSIBLE || (end && lacks > 0))
		return proxy_header_refuse(fields[field].why, ret_why);
	/* Two long addresses with dots (::ffff:1.2.3.4) can exceed the length of a line. */
	if (line->at + size + lacks + fields[field].behind > LINE_MAX_SIZE)
		return proxy_header_refuse("line too long", ret_why);
	line->at += size + 1;
	return end ? PROXY_HEADER_FOUND : PROXY_HEADER_MORE;
}

static void set_from_texts(int family, const struct field_text *address,
			   const struct field_text *port, struct sockaddr_storage *ret_endpoint)
{
	struct in6_addr binary;
	uint16_t number = 0;

	inet_pton(family, address->text, &binary);
	port_lacks(port->text, &number);
	set_endpoint(family, &binary, htons(number), ret_endpoint);
}

static enum proxy_header_result parse_tcp(struct line *line, struct proxy_header_answer *ret,
					  const char **ret_why)
{
	struct field_text texts[FIELD_COUNT];
	enum field field;

	for (field = 0; field < FIELD_COUNT; field++) {
		enum proxy_header_result result = take_field(line, field, &texts[field], ret_why);

		if (result != PROXY_HEADER_FOUND)
			return result;
	}
	if (line->at == line->length)
		return PROXY_HEADER_MORE;
	if (line->bytes[line->at] != '\n')
		return proxy_header_refuse("CR without LF", ret_why);
	*ret = (struct proxy_header_answer){.version = 1, .length = line->at + 1};
	set_from_texts(line->family, &texts[FIELD_SOURCE], &texts[FIELD_SOURCE_PORT], &ret->client);
	set_from_texts(line->family, &texts[FIELD_DESTINATION], &texts[FIELD_DESTINATION_PORT],
		       &ret->destination);
	return PROXY_HEADER_FOUND;
}

/* Read a line for UNKNOWN. Everything before the CRLF is ignored, even a CR or an LF alone. */
static enum proxy_header_result parse_unknown(const uint8_t *bytes, size_t length,
					      struct proxy_header_answer *ret, const char **ret_why)
{
	const uint8_t *end = memmem(bytes, length, "\r\n", 2);

	if (end) {
		*ret = (struct proxy_header_answer){.version = 1,
						    .length = (size_t)(end - bytes) + 2};
		return PROXY_HEADER_FOUND;
	}
	if (length + (bytes[length - 1] == '\r' ? 1 : 2) > LINE_MAX_SIZE)
		return proxy_header_refuse("line too long", ret_why);
	return PROXY_HEADER_MORE;
}

static enum proxy_header_result parse_v1(const uint8_t *bytes, size_t length,
					 struct proxy_header_answer *ret, const char **ret_why)
{
	static const struct {
		const char *text;
		int family;
	} starts[] = {
		{"PROXY TCP4 ", AF_INET},
		{"PROXY TCP6 ", AF_INET6},
		{"PROXY UNKNOWN ", AF_UNSPEC},
		{"PROXY UNKNOWN\r\n", AF_UNSPEC},
	};
	static const size_t name_at = sizeof("PROXY ") - 1;
	size_t i;

	for (i = 0; i < COUNT(starts); i++) {
		size_t size = strlen(starts[i].text);
		struct line line = {starts[i].family, bytes, length, size};

		if (memcmp(bytes, starts[i].text, length < size ? length : size) != 0)
			continue;
		if (length < size)
			return PROXY_HEADER_MORE;
		if (starts[i].family == AF_UNSPEC)
			return parse_unknown(bytes, length, ret, ret_why);
		return parse_tcp(&line, ret, ret_why);
	}
	if (length < name_at || memcmp(bytes, starts[0].text, name_at) != 0)
		return proxy_header_refuse(no_header, ret_why);
	return proxy_header_refuse("neither TCP4 nor TCP6 nor UNKNOWN", ret_why);
}

/* ---- Version 2: binary -------------------------------------------------------------- */

#define SIGNATURE_SIZE 12
#define COMMAND_AT     12 /* this byte also contains the version */
#define FAMILY_AT      13 /* this byte also contains the transport protocol */
#define LENGTH_AT      14
#define HEAD_SIZE      16 /* size of the signature and these fields */

#define COMMAND_LOCAL 0x20
#define COMMAND_PROXY 0x21

#define FAMILY_TCP4 0x11
#define FAMILY_TCP6 0x21

#define TLV_HEAD_SIZE 3 /* type, length of the value */
#define TLV_CRC32C    0x03
#define CRC_SIZE      4

/* block_size() of a family and protocol whose addresses the specification does not define. */
#define NO_BLOCK SIZE_MAX

static size_t get_u16(const uint8_t *bytes)
{
	return (size_t)bytes[0] << 8 | bytes[1];
}

static uint32_t get_u32(const uint8_t *bytes)
{
	return (uint32_t)get_u16(bytes) << 16 | (uint32_t)get_u16(bytes + 2);
}

/* Continue a CRC-32C over `length` more bytes, by half bytes. NULL stands for zero bytes. */
static uint32_t crc32c_add(uint32_t crc, const uint8_t *bytes, size_t length)
{
	static const uint32_t of_nibble[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	size_t i;

	for (i = 0; i < length; i++) {
		crc ^= bytes ? bytes[i] : 0;
		crc = crc >> 4 ^ of_nibble[crc & 15];
		crc = crc >> 4 ^ of_nibble[crc & 15];
	}
	return crc;
}

/* Is the checksum at `at` correct? It is computed with zeros in its own place. */
static bool checksum_fits(const uint8_t *bytes, size_t total, size_t at)
{
	uint32_t crc = UINT32_MAX;

	crc = crc32c_add(crc, bytes, at);
	crc = crc32c_add(crc, NULL, CRC_SIZE);
	crc = crc32c_add(crc, bytes + at + CRC_SIZE, total - at - CRC_SIZE);
	return ~crc == get_u32(bytes + at);
}

static size_t block_size(uint8_t family)
{
	switch (family) {
	case 0x00: /* unspecified: all bytes behind the head are TLVs */
		return 0;
	case FAMILY_TCP4:
	case 0x12: /* UDP */
		return 2 * 4 + 2 * 2;
	case FAMILY_TCP6:
	case 0x22: /* UDP */
		return 2 * 16 + 2 * 2;
	case 0x31: /* UNIX, stream */
	case 0x32: /* UNIX, datagram */
		return 2 * 108;
	default:
		return NO_BLOCK;
	}
}

/* Returns the fault of version, command and family so far; NULL: there is none. */
static const char *find_kind_fault(const uint8_t *bytes, size_t length)
{
	if (length <= COMMAND_AT)
		return NULL;
	if (bytes[COMMAND_AT] >> 4 != 2)
		return "binary header of another version than 2";
	if (bytes[COMMAND_AT] != COMMAND_LOCAL && bytes[COMMAND_AT] != COMMAND_PROXY)
		return "unknown command";
	if (length <= FAMILY_AT || bytes[COMMAND_AT] == COMMAND_LOCAL)
		return NULL;
	if (bytes[FAMILY_AT] >> 4 > 3 || (bytes[FAMILY_AT] & 15) > 2)
		return "unknown address family or protocol";
	return NULL;
}

/* Returns the fault of the length so far; NULL: there is none. */
static const char *find_length_fault(const uint8_t *bytes, size_t length)
{
	size_t behind, block;

	if (length <= LENGTH_AT)
		return NULL;
	behind = (size_t)bytes[LENGTH_AT] << 8 | (length < HEAD_SIZE ? 0 : bytes[LENGTH_AT + 1]);
	if (behind > PROXY_HEADER_MAX - HEAD_SIZE)
		return "header too long";
	block = block_size(bytes[FAMILY_AT]);
	if (length < HEAD_SIZE || bytes[COMMAND_AT] == COMMAND_LOCAL || block == NO_BLOCK)
		return NULL;
	return behind < block ? "too short for its addresses" : NULL;
}

/* Returns the fault of the head so far; NULL: there is none. */
static const char *find_head_fault(const uint8_t *bytes, size_t length)
{
	static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
	const char *fault;

	if (memcmp(bytes, signature, length < SIGNATURE_SIZE ? length : SIGNATURE_SIZE) != 0)
		return no_header;
	fault = find_kind_fault(bytes, length);
	return fault ? fault : find_length_fault(bytes, length);
}

/*
 * Find the checksum among the TLVs. Other TLVs are skipped, malformed ones included. A second
 * checksum is an error: the specification does not say how to compute one if there is another one.
 *
 * length  bytes that have arrived, of `total` bytes
 * ret_at  position of the checksum's value; 0: there is none so far
 *
 * Returns the fault; NULL: there is none.
 */
static const char *find_checksum(const uint8_t *bytes, size_t length, size_t total, size_t *ret_at)
{
	bool is_local = bytes[COMMAND_AT] == COMMAND_LOCAL;
	size_t block = block_size(bytes[FAMILY_AT]), at;

	*ret_at = 0;
	/*
	 * If the length of the address block is not known, the beginning of the TLVs is not,
	 * either. With LOCAL the family must be ignored, although it decides the length of the
	 * block.
	 */
	if (block == NO_BLOCK || (is_local && block > 0))
		return NULL;
	for (at = HEAD_SIZE + block; at + TLV_HEAD_SIZE <= length;) {
		size_t value = at + TLV_HEAD_SIZE, size = get_u16(bytes + at + 1);

		if (bytes[at] == TLV_CRC32C) {
			if (size != CRC_SIZE || value + CRC_SIZE > total)
				return "checksum of a wrong size";
			if (*ret_at)
				return "two checksums";
			*ret_at = value;
		}
		at = value + size;
	}
	return NULL;
}

/* Read a block of addresses: source, destination, and their ports. */
static void set_from_block(int family, size_t address_size, const uint8_t *block,
			   struct proxy_header_answer *ret)
{
	in_port_t ports[2];

	memcpy(ports, block + 2 * address_size, sizeof(ports));
	set_endpoint(family, block, ports[0], &ret->client);
	set_endpoint(family, block + address_size, ports[1], &ret->destination);
}

static enum proxy_header_result parse_v2(const uint8_t *bytes, size_t length,
					 struct proxy_header_answer *ret, const char **ret_why)
{
	const char *fault = find_head_fault(bytes, length);
	size_t total, checksum_at;

	if (fault)
		return proxy_header_refuse(fault, ret_why);
	if (length < HEAD_SIZE)
		return PROXY_HEADER_MORE;
	total = HEAD_SIZE + get_u16(bytes + LENGTH_AT);
	fault = find_checksum(bytes, length < total ? length : total, total, &checksum_at);
	if (fault)
		return proxy_header_refuse(fault, ret_why);
	if (length < total)
		return PROXY_HEADER_MORE;
	if (checksum_at && !checksum_fits(bytes, total, checksum_at))
		return proxy_header_refuse("wrong checksum", ret_why);
	*ret = (struct proxy_header_answer){.version = 2, .length = total};
	if (bytes[COMMAND_AT] == COMMAND_LOCAL)
		return PROXY_HEADER_FOUND;
	if (bytes[FAMILY_AT] == FAMILY_TCP4)
		set_from_block(AF_INET, 4, bytes + HEAD_SIZE, ret);
	else if (bytes[FAMILY_AT] == FAMILY_TCP6)
		set_from_block(AF_INET6, 16, bytes + HEAD_SIZE, ret);
	return PROXY_HEADER_FOUND;
}

enum proxy_header_result proxy_header_parse(const uint8_t *bytes, size_t length,
					    struct proxy_header_answer *ret, const char **ret_why)
{
	if (length == 0)
		return PROXY_HEADER_MORE;
	if (bytes[0] == 'P')
		return parse_v1(bytes, length < LINE_MAX_SIZE ? length : LINE_MAX_SIZE, ret,
				ret_why);
	return parse_v2(bytes, length, ret, ret_why);
}
