// SPDX-License-Identifier: MIT
#include "demo/demo_answer.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

/* Returns the port of the group's first listener; 0: it is not known. */
static uint16_t port_of(struct sticky_group *group)
{
	char text[STICKY_ADDRESS_TEXT_SIZE];
	const char *colon;

	if (sticky_group_listener_address(group, 0, sizeof(text), text))
		return 0;
	colon = strrchr(text, ':');
	return (uint16_t)strtoul(colon + 1, NULL, 10);
}

/* Fill in the facts about the client and the group. facts->client is owned by the connection. */
static int complete_facts(struct evhttp_request *request, struct sticky_group *group,
			  struct sticky_where *where, struct demo_facts *facts)
{
	struct evhttp_connection *http = evhttp_request_get_connection(request);
	struct sockaddr_storage client;
	ev_uint16_t port;
	char *address;
	int error;

	evhttp_connection_get_peer(http, &address, &port);
	error = sticky_address_parse(address, &client);
	if (!error)
		error = sticky_group_where(group, (const void *)&client, where);
	if (error)
		return error;
	/* A dual-stack socket shows an IPv4 client as ::ffff:a.b.c.d. Only a.b.c.d is shown. */
	if (!strncmp(address, "::ffff:", 7) && strchr(address, '.'))
		address += 7;
	facts->client = address;
	facts->slots = sticky_group_slots(group);
	facts->key = where->key;
	facts->bucket = where->bucket;
	facts->port = port_of(group);
	return 0;
}

static void send_answer(struct evhttp_request *request, const char *text, bool as_json)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evbuffer_new();

	if (!body || evbuffer_add(body, text, strlen(text))) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
		if (body)
			evbuffer_free(body);
		return;
	}
	evhttp_add_header(headers, "Content-Type",
			  as_json ? "application/json" : "text/html; charset=utf-8");
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_add_header(headers, "Vary", "Accept");
	evhttp_send_reply(request, HTTP_OK, NULL, body);
	evbuffer_free(body);
}

bool demo_answer(struct evhttp_request *request, struct sticky_group *group,
		 const struct demo_facts *thread_facts)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
	bool as_json = demo_wants_json(evhttp_find_header(headers, "Accept"));
	struct sticky_where where = {.size = sizeof(where)};
	struct demo_facts facts = *thread_facts;
	bool is_known = complete_facts(request, group, &where, &facts) == 0;
	char *text = is_known ? demo_page(&facts, as_json) : NULL;

	if (text)
		send_answer(request, text, as_json);
	else
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
	free(text);
	return is_known;
}
