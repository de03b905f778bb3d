// SPDX-License-Identifier: MIT
#include "oracle.h"

#include <arpa/inet.h>
#include <regex.h>
#include <string.h>
#include <strings.h>

static bool is_blank_char(char c)
{
	return c == ' ' || c == '\t';
}

/* Copy the text between from and to, without white space around it. */
static void copy_trimmed(const char *from, const char *to, char *ret_item)
{
	while (from < to && is_blank_char(*from))
		from++;
	while (from < to && is_blank_char(to[-1]))
		to--;
	memcpy(ret_item, from, (size_t)(to - from));
	ret_item[to - from] = '\0';
}

/*
 * The forms of an address that client_ip.h names. The first group of each expression is the host.
 */
enum form { FORM_V4, FORM_V6, FORM_BRACKETED, FORM_COUNT };

#define ZONE "(%[!#$%&'*+.^_`|~0-9A-Za-z-]+)?"

static const char *const patterns[FORM_COUNT] = {
	[FORM_V4] = "^([0-9.]+)(:[0-9]+)?$",
	[FORM_V6] = "^([0-9A-Fa-f:.]+)" ZONE "$",
	[FORM_BRACKETED] = "^\\[([0-9A-Fa-f:.]+)" ZONE "\\](:[0-9]+)?$",
};
static regex_t forms[FORM_COUNT];

int oracle_init(void)
{
	size_t i;

	for (i = 0; i < FORM_COUNT; i++)
		if (regcomp(&forms[i], patterns[i], REG_EXTENDED))
			return -1;
	return 0;
}

void oracle_fini(void)
{
	size_t i;

	for (i = 0; i < FORM_COUNT; i++)
		regfree(&forms[i]);
}

bool oracle_is_named(const struct oracle_field *field, const char *name)
{
	return !strcasecmp(field->name, name);
}

static bool is_form(enum form form, const char *item, void *ret_host)
{
	regmatch_t found[2];
	char host[ORACLE_TEXT_MAX];

	if (regexec(&forms[form], item, 2, found, 0))
		return false;
	copy_trimmed(item + found[1].rm_so, item + found[1].rm_eo, host);
	return inet_pton(form == FORM_V4 ? AF_INET : AF_INET6, host, ret_host) == 1;
}

/* Read an item of the list. An IPv4 address is returned as a v4-mapped IPv6 address. */
static bool read_item(char *item, struct in6_addr *ret_address)
{
	size_t length = strlen(item);

	if (length >= 2 && item[0] == '"' && item[length - 1] == '"') {
		item[length - 1] = '\0';
		item++;
	}
	*ret_address = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
	return is_form(FORM_V4, item, &ret_address->s6_addr[12]) ||
	       is_form(FORM_BRACKETED, item, ret_address) || is_form(FORM_V6, item, ret_address);
}

/* The ranges of prefixes_default(), written down a second time. */
static bool is_trusted(const struct in6_addr *address)
{
	const uint8_t *v4 = &address->s6_addr[12];

	if (!IN6_IS_ADDR_V4MAPPED(address))
		return IN6_IS_ADDR_LOOPBACK(address) || IN6_IS_ADDR_LINKLOCAL(address) ||
		       (address->s6_addr[0] & 0xfe) == 0xfc;
	return v4[0] == 127 || v4[0] == 10 || (v4[0] == 172 && v4[1] / 16 == 1) ||
	       (v4[0] == 192 && v4[1] == 168) || (v4[0] == 169 && v4[1] == 254);
}

static void expect_item(struct oracle *oracle, char *item)
{
	struct in6_addr address;

	if (!item[0])
		return;
	if (!read_item(item, &address)) {
		oracle->has_client = false;
	} else if (!is_trusted(&address) || !oracle->has_client) {
		oracle->client = address;
		oracle->has_client = true;
	}
}

static void expect_option(struct oracle *oracle, const char *option)
{
	oracle->asks_close |= !strcasecmp(option, "close");
	oracle->asks_keep_alive |= !strcasecmp(option, "keep-alive");
	oracle->asks_upgrade |= !strcasecmp(option, "upgrade");
}

/*
 * Add a field. Its value is split at every comma. Connection contains tokens (RFC 9110, 7.6.1),
 * which have no quotes. In X-Forwarded-For a quoted string with a comma is not an address, and
 * neither are its parts.
 */
void oracle_add(struct oracle *oracle, const struct oracle_field *field)
{
	bool is_list = oracle_is_named(field, "X-Forwarded-For");
	const char *item = field->value, *c = item;
	char copy[ORACLE_TEXT_MAX];

	if (!is_list && !oracle_is_named(field, "Connection"))
		return;
	oracle->has_header |= is_list;
	for (;; c++) {
		if (*c && *c != ',')
			continue;
		copy_trimmed(item, c, copy);
		if (is_list)
			expect_item(oracle, copy);
		else
			expect_option(oracle, copy);
		item = c + 1;
		if (!*c)
			return;
	}
}
