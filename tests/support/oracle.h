/* SPDX-License-Identifier: MIT */
/*
 * Finds the client, and whether the connection is kept, in header fields that another parser has
 * found. This is what src/handoff/client_ip.h specifies, written a second time in another way: from
 * left to right, with regular expressions, and without regard to speed.
 */
#ifndef TESTS_SUPPORT_ORACLE_H
#define TESTS_SUPPORT_ORACLE_H

#include <netinet/in.h>
#include <stdbool.h>

#define ORACLE_TEXT_MAX 4096

struct oracle_field {
	char name[ORACLE_TEXT_MAX];
	char value[ORACLE_TEXT_MAX]; /* without the line ends of folds */
	unsigned int pieces;	     /* number of lines that contain a part of the value */
};

/* The result of the fields so far. All members are zero before the first field. */
struct oracle {
	bool has_header;
	bool has_client;
	struct in6_addr client; /* IPv4 addresses are v4-mapped */
	bool asks_close, asks_keep_alive, asks_upgrade;
};

/* Compile the regular expressions. Returns 0 or -1. */
int oracle_init(void);
void oracle_fini(void);

/* Does the field have this name, in upper or lower case? */
bool oracle_is_named(const struct oracle_field *field, const char *name);

/* Add the next field, in the order of the head. Only X-Forwarded-For and Connection count. */
void oracle_add(struct oracle *oracle, const struct oracle_field *field);

#endif
