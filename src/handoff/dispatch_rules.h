/* SPDX-License-Identifier: MIT */
/*
 * The rules by which a dispatcher reads a connection's first bytes: what it believes, and how long
 * it waits. They are an immutable snapshot of the configuration.
 *
 * Dispatchers are threads. They never read the configuration itself, as a reload replaces it in
 * place and frees its strings. The main thread makes a new snapshot instead, and hands it to each
 * dispatcher. A snapshot counts its references, and is freed with the last of them. The functions
 * here may be called from any thread.
 */
#ifndef STICKY_HANDOFF_DISPATCH_RULES_H
#define STICKY_HANDOFF_DISPATCH_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/prefixes.h"
#include "sticky.h"

enum dispatch_mode {
	DISPATCH_PEER,	/* the client is the peer: the head is not read */
	DISPATCH_XFF,	/* X-Forwarded-For, or another HTTP header, names the client */
	DISPATCH_PROXY, /* a header of the PROXY protocol names the client */
	DISPATCH_MODE_COUNT
};

#define DISPATCH_HEADER_SIZE 64 /* room for the name of a header, with its NUL */

struct dispatch_rules {
	/* atomic; only dispatch_rules_ref() and dispatch_rules_unref() use it */
	uint32_t references;
	enum dispatch_mode mode;
	char header[DISPATCH_HEADER_SIZE]; /* DISPATCH_XFF: the header's name */
	struct prefixes trusted;	   /* peers outside of these ranges are not believed */
	bool strips;			   /* DISPATCH_PROXY: the worker does not get the header */
	/* some connections of untrusted peers are sent to the dispatcher, as samples */
	bool samples;
	/* a proxy that keeps its connections open is reported, for a warning */
	bool reports_keepalive;
	/* the time after which a connection is closed if its head has not named the client */
	uint32_t head_timeout_ms;
};

/*
 * Make a snapshot with one reference, which is the caller's.
 *
 * values  copied, except for `references` and `trusted`
 * list    the trusted ranges, copied; NULL with a count of 0
 *
 * Returns 0 or -ENOMEM.
 */
int dispatch_rules_new(const struct dispatch_rules *values, const struct sticky_prefix *list,
		       size_t count, const struct dispatch_rules **ret_rules);

/* Take one more reference. Returns the same snapshot. */
const struct dispatch_rules *dispatch_rules_ref(const struct dispatch_rules *rules);

/* Give a reference back. NULL is allowed. */
void dispatch_rules_unref(const struct dispatch_rules *rules);

#endif
