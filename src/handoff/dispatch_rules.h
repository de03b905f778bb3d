/* SPDX-License-Identifier: MIT */
/*
 * What a dispatcher believes of a connection's first bytes, and how long it waits for them: an
 * immutable snapshot of the configuration.
 *
 * Dispatchers are threads. They never read the configuration itself, as a reload replaces it in
 * place and frees its strings. The main thread makes a new snapshot instead, and hands it to each
 * dispatcher. A snapshot counts its references, and is freed with the last of them; the functions
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
	DISPATCH_XFF,	/* X-Forwarded-For, or another header of HTTP, names the client */
	DISPATCH_PROXY, /* a header of the PROXY protocol names the client */
	DISPATCH_MODE_COUNT
};

#define DISPATCH_HEADER_SIZE 64 /* room for the name of a header, with its end */

struct dispatch_rules {
	uint32_t references; /* atomic; dispatch_rules_ref() and dispatch_rules_unref() alone */
	enum dispatch_mode mode;
	char header[DISPATCH_HEADER_SIZE]; /* DISPATCH_XFF: the header's name */
	struct prefixes trusted;	   /* peers outside of these ranges are not believed */
	bool strips;			   /* DISPATCH_PROXY: the worker does not see the header */
	bool samples;			   /* connections of untrusted peers come to be looked at */
	bool reports_keepalive;	  /* proxies that keep connections open are worth a warning */
	uint32_t head_timeout_ms; /* a proxy that has not named its client by then is closed */
};

/*
 * Make a snapshot with one reference, which is the caller's.
 *
 * values  copied, but for `references` and `trusted`
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
