/* SPDX-License-Identifier: MIT */
/*
 * Who is the client, and is the connection kept: out of header fields that somebody else has found.
 * What src/handoff/client_ip.h says, written a second time in another way: from left to right, by
 * regular expressions, as slow as it likes.
 */
#ifndef TESTS_SUPPORT_ORACLE_H
#define TESTS_SUPPORT_ORACLE_H

#include <netinet/in.h>
#include <stdbool.h>

#define ORACLE_TEXT_MAX 4096

struct oracle_field {
	char name[ORACLE_TEXT_MAX];
	char value[ORACLE_TEXT_MAX]; /* without the line ends of its folds */
	unsigned int pieces;	     /* lines that have something of the value in them */
};

/* What the fields say so far; all zero before the first. */
struct oracle {
	bool has_header;
	bool has_client;
	struct in6_addr client; /* IPv4: mapped */
	bool asks_close, asks_keep_alive, asks_upgrade;
};

/* Returns 0 or -1. */
int oracle_init(void);
void oracle_fini(void);

/* In any case. */
bool oracle_is_named(const struct oracle_field *field, const char *name);

/* The next field, in the order of the head: counts where it is X-Forwarded-For or Connection. */
void oracle_add(struct oracle *oracle, const struct oracle_field *field);

#endif
