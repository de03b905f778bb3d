// SPDX-License-Identifier: MIT
#include "handoff/dispatch_notices.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "common/log.h"
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

static void describe_peer(const struct sockaddr *peer, char text[INET6_ADDRSTRLEN])
{
	const void *address = peer->sa_family == AF_INET
				      ? (const void *)&((const struct sockaddr_in *)peer)->sin_addr
				      : &((const struct sockaddr_in6 *)peer)->sin6_addr;

	if (!inet_ntop(peer->sa_family, address, text, INET6_ADDRSTRLEN))
		strcpy(text, "?");
}

void dispatch_notices_take(void *context, enum dispatch_notice notice, const struct sockaddr *peer)
{
	struct dispatch_notices *notices = context;
	char text[INET6_ADDRSTRLEN];

	describe_peer(peer, text);
	if (notice == DISPATCH_KEEPS_ALIVE) {
		counter_add(&notices->traffic->proxy_keepalive, 1);
		if (is_first(&notices->keepalive_noticed, 1))
			warn_of_keepalive(text);
	} else if (is_first(&notices->untrusted_noticed, SAMPLES_TO_WARN)) {
		warn_of_untrusted(text);
	}
}
