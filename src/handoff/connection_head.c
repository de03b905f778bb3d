// SPDX-License-Identifier: MIT
#include "handoff/connection_head.h"

#include <errno.h>
#include <string.h>
#include <poll.h>
#include <sys/socket.h>

#include "handoff/client_ip.h"
#include "handoff/proxy_header.h"

static void set_address(union channel_address *to, const struct sockaddr *from)
{
	memset(to, 0, sizeof(*to));
	if (from->sa_family == AF_INET)
		memcpy(&to->v4, from, sizeof(to->v4));
	else if (from->sa_family == AF_INET6)
		memcpy(&to->v6, from, sizeof(to->v6));
}

void connection_head_begin(struct connection_head *head, int fd, const struct sockaddr *peer,
			   const struct dispatch_rules *rules)
{
	bool is_trusted = rules->mode != DISPATCH_PEER && prefixes_contain(&rules->trusted, peer);

	*head = (struct connection_head){.fd = fd, .source = CHANNEL_FROM_PEER};
	set_address(&head->peer, peer);
	head->client = head->peer;
	head->must_speak = is_trusted && rules->mode == DISPATCH_PROXY;
	head->is_sample = !is_trusted && rules->samples;
	head->is_plain = !is_trusted && !rules->samples;
}

static void set_client(struct connection_head *head, const struct sockaddr *client,
		       enum channel_source source)
{
	if (client->sa_family != AF_INET && client->sa_family != AF_INET6)
		return; /* the peer itself is the client */
	set_address(&head->client, client);
	head->source = source;
}

/* ---- X-Forwarded-For ------------------------------------------------------------------- */

static enum connection_head_state find_client(struct connection_head *head,
					      const struct dispatch_rules *rules,
					      const uint8_t *bytes, size_t length)
{
	struct client_ip_answer answer;
	enum client_ip_result result;

	/* A head that arrives byte by byte is parsed again only when another line is complete. */
	if (head->has_line && length > head->seen &&
	    !memchr(bytes + head->seen, '\n', length - head->seen))
		return CONNECTION_HEAD_MORE;
	head->has_line = memchr(bytes, '\n', length) != NULL;
	result = client_ip_find((const char *)bytes, length, rules->header, &rules->trusted,
				&head->peer.any, &answer);
	if (result == CLIENT_IP_MORE)
		return CONNECTION_HEAD_MORE;
	if (result == CLIENT_IP_NOT_HTTP)
		return CONNECTION_HEAD_KNOWN;
	if (head->is_sample) {
		head->is_untrusted_word = answer.has_header && prefix_is_public(&head->peer.any);
		return CONNECTION_HEAD_KNOWN;
	}
	head->keeps_alive = answer.keeps_alive && rules->reports_keepalive;
	if (result == CLIENT_IP_FOUND)
		set_client(head, (const void *)&answer.client, CHANNEL_FROM_HEADER);
	return CONNECTION_HEAD_KNOWN;
}

/* ---- PROXY protocol ----------------------------------------------------------------- */

static enum connection_head_state refuse(struct connection_head *head, const char *why)
{
	head->why = why;
	return CONNECTION_HEAD_BAD;
}

/* Read a header from the socket after the whole of it has been peeked at. */
static bool take_out(int fd, uint8_t *bytes, size_t length)
{
	ssize_t taken;

	do
		taken = recv(fd, bytes, length, MSG_DONTWAIT);
	while (taken < 0 && errno == EINTR);
	return taken == (ssize_t)length;
}

static enum connection_head_state find_proxied(struct connection_head *head,
					       const struct dispatch_rules *rules, uint8_t *bytes,
					       size_t length)
{
	struct proxy_header_answer answer;
	const char *why;
	enum proxy_header_result result = proxy_header_parse(bytes, length, &answer, &why);

	if (head->is_sample) {
		head->is_untrusted_word =
			result == PROXY_HEADER_FOUND && prefix_is_public(&head->peer.any);
		return result == PROXY_HEADER_MORE ? CONNECTION_HEAD_MORE : CONNECTION_HEAD_KNOWN;
	}
	if (result == PROXY_HEADER_MORE)
		return CONNECTION_HEAD_MORE;
	if (result == PROXY_HEADER_BAD)
		return refuse(head, why);
	if (rules->strips && !take_out(head->fd, bytes, answer.length))
		return CONNECTION_HEAD_GONE;
	set_client(head, (const void *)&answer.client, CHANNEL_FROM_PROXY);
	return CONNECTION_HEAD_KNOWN;
}

/* ---- Looking ------------------------------------------------------------------------ */

/*
 * Decide about an incomplete head that will not be completed: the client has closed its half, or
 * has sent CONNECTION_HEAD_SIZE_MAX bytes.
 */
static enum connection_head_state settle_without_more(struct connection_head *head, size_t length)
{
	if (head->must_speak)
		return refuse(head, "the connection ends within the header");
	head->is_too_long = !head->is_sample && length == CONNECTION_HEAD_SIZE_MAX;
	return CONNECTION_HEAD_KNOWN;
}

/*
 * Has the client closed or reset the connection? The bytes that it sent before can still be peeked
 * at.
 */
static short find_end(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};

	return poll(&poll_fd, 1, 0) == 1 ? poll_fd.revents : 0;
}

enum connection_head_state connection_head_look(struct connection_head *head,
						const struct dispatch_rules *rules, uint8_t *bytes)
{
	enum connection_head_state state;
	ssize_t length;
	short end;

	if (head->is_plain)
		return CONNECTION_HEAD_KNOWN;
	do
		length = recv(head->fd, bytes, CONNECTION_HEAD_SIZE_MAX, MSG_PEEK | MSG_DONTWAIT);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return errno == EAGAIN ? CONNECTION_HEAD_MORE : CONNECTION_HEAD_GONE;
	if (length == 0)
		return CONNECTION_HEAD_GONE;
	state = rules->mode == DISPATCH_XFF ? find_client(head, rules, bytes, (size_t)length)
					    : find_proxied(head, rules, bytes, (size_t)length);
	if (state != CONNECTION_HEAD_MORE)
		return state;
	head->seen = (uint32_t)length;
	end = find_end(head->fd);
	if (end & (POLLERR | POLLHUP))
		return CONNECTION_HEAD_GONE;
	if (length == CONNECTION_HEAD_SIZE_MAX || end)
		return settle_without_more(head, (size_t)length);
	return CONNECTION_HEAD_MORE;
}
