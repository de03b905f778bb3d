// SPDX-License-Identifier: MIT
#include "node/preload_messages.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* Describe an address as Node.js's handle.getpeername() does. */
static json_t *describe_client(const struct sockaddr *client)
{
	const struct sockaddr_in *v4 = (const void *)client;
	const struct sockaddr_in6 *v6 = (const void *)client;
	char text[INET6_ADDRSTRLEN];
	bool is_v6 = client->sa_family == AF_INET6;

	inet_ntop(client->sa_family, is_v6 ? (const void *)&v6->sin6_addr : &v4->sin_addr, text,
		  sizeof(text));
	return json_pack("{s:s, s:i, s:s}", "address", text, "port",
			 ntohs(is_v6 ? v6->sin6_port : v4->sin_port), "family",
			 is_v6 ? "IPv6" : "IPv4");
}

json_t *preload_describe(json_t *message, bool closes, const struct sockaddr *client)
{
	bool has_client = client && (client->sa_family == AF_INET || client->sa_family == AF_INET6);
	json_t *details;

	if (!message || (!closes && !has_client))
		return message;
	details = json_pack("{s:b}", "close", closes);
	if (details &&
	    (!has_client || !json_object_set_new(details, "client", describe_client(client))) &&
	    !json_object_set(message, "sticky", details)) {
		json_decref(details);
		return message;
	}
	json_decref(details);
	json_decref(message);
	return NULL;
}

json_t *preload_leave(uint32_t idle_ms)
{
	return json_pack("{s:s, s:s, s:I}", "cmd", "NODE_STICKY", "act", "leave", "idleMs",
			 (json_int_t)idle_ms);
}
