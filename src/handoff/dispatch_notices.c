// SPDX-License-Identifier: MIT
#include "handoff/dispatch_notices.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "handoff/connection_head.h"
#include "handoff/exits.h"

/* A single header may be invented by a client. */
#define SAMPLES_TO_WARN 5

/* Is this the notice that is logged? */
static bool is_first(uint32_t *noticed, uint32_t after)
{
	return __atomic_add_fetch(noticed, 1, __ATOMIC_RELAXED) == after;
}

static void warn_of_keepalive(const char *peer)
{
	report(STICKY_LOG_WARN, "proxy_keepalive",
	       "proxy=%s why=\"it keeps connections open, and may put several clients' requests on "
	       "one: all go to the first one's worker\" so=\"let it close each: HAProxy 'option "
	       "http-server-close' and 'http-reuse never'; nginx without 'keepalive' in the "
	       "upstream\"",
	       peer);
}

static void warn_of_untrusted(const char *peer)
{
	report(STICKY_LOG_WARN, "untrusted_proxy",
	       "peer=%s why=\"it says who its clients are, and is not believed: they all go to one "
	       "worker\" so=\"if it is a proxy of yours, name it by --trusted-proxy\"",
	       peer);
}

static void warn_of_bad_header(struct log_limit *limit, const char *peer, const char *why)
{
	uint64_t more;

	if (log_limit_allows(limit, clock_ms(), &more))
		report(STICKY_LOG_WARN, "bad_proxy_header",
		       "peer=%s why=\"%s\" so=\"the connection is closed\" hint=\"a health check "
		       "of HAProxy needs 'check-send-proxy'; if this is no proxy of yours, leave "
		       "its "
		       "address out of --trusted-proxy\" more=%" PRIu64,
		       peer, why, more);
}

static void warn_of_long_head(struct log_limit *limit, const char *peer)
{
	uint64_t more;

	if (log_limit_allows(limit, clock_ms(), &more))
		report(STICKY_LOG_WARN, "head_too_long",
		       "peer=%s why=\"%d bytes have arrived, and the head goes on: the client is "
		       "not "
		       "looked for any further\" so=\"the connection goes to the worker of the "
		       "peer's own address\" hint=\"let the proxy refuse such heads; if this is no "
		       "proxy of yours, leave its address out of --trusted-proxy\" more=%" PRIu64,
		       peer, CONNECTION_HEAD_SIZE_MAX, more);
}

static void describe_peer(const struct sockaddr *peer, char text[INET6_ADDRSTRLEN])
{
	const void *address = peer->sa_family == AF_INET
				      ? (const void *)&((const struct sockaddr_in *)peer)->sin_addr
				      : &((const struct sockaddr_in6 *)peer)->sin6_addr;

	if (!inet_ntop(peer->sa_family, address, text, INET6_ADDRSTRLEN))
		strcpy(text, "?");
}

void dispatch_notices_take(void *context, enum dispatch_notice notice, const struct sockaddr *peer,
			   const char *why)
{
	struct dispatch_notices *notices = context;
	char text[INET6_ADDRSTRLEN];

	describe_peer(peer, text);
	switch (notice) {
	case DISPATCH_KEEPS_ALIVE:
		counter_add(&notices->traffic->proxy_keepalive, 1);
		if (is_first(&notices->keepalive_noticed, 1))
			warn_of_keepalive(text);
		break;
	case DISPATCH_UNTRUSTED_HEADER:
		if (is_first(&notices->untrusted_noticed, SAMPLES_TO_WARN))
			warn_of_untrusted(text);
		break;
	case DISPATCH_BAD_HEADER: /* counted as the connection's exit */
		warn_of_bad_header(&notices->bad_header, text, why);
		break;
	case DISPATCH_HEAD_TOO_LONG:
		counter_add(&notices->heads->too_long, 1);
		warn_of_long_head(&notices->head_too_long, text);
		break;
	}
}
