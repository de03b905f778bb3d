// SPDX-License-Identifier: MIT
#include "api.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "report.h"
#include "status.h"

#define HEADERS_MAX  8192
#define BODY_MAX     65536
#define IDLE_SECONDS 10 /* a client that says nothing for this long is let go */

/* A client that asked for a stop and waits for its end. */
struct waiter {
	struct api *api;
	struct waiter *next;
	struct evhttp_request *request; /* NULL: the client went away */
};

struct api {
	const struct instance *instance;
	api_stop_fn *stop;
	api_answered_fn *answered;
	void *context;
	struct evhttp *http;
	struct waiter *waiters;
	unsigned int answers; /* on their way to those who waited for the stop */
};

/* ---- Answers -------------------------------------------------------------------- */

/* Takes the JSON over; NULL stands for: out of memory. */
static void answer(struct evhttp_request *request, int code, json_t *json)
{
	struct evbuffer *body = evbuffer_new();
	char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;

	if (!text || !body) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
	} else {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
				  "application/json");
		evbuffer_add_printf(body, "%s\n", text);
		evhttp_send_reply(request, code, NULL, body);
	}
	if (body)
		evbuffer_free(body);
	free(text);
	json_decref(json);
}

static void answer_error(struct evhttp_request *request, int code, const char *what)
{
	answer(request, code, json_pack("{s:s}", "error", what));
}

/* ---- Who asks ------------------------------------------------------------------- */

/* The socket's mode keeps others out already; who connected is asked all the same. */
static bool is_allowed(struct evhttp_request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	struct ucred peer;
	socklen_t length = sizeof(peer);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

/* A value of the query, or NULL. The list is to be cleared by the caller. */
static const char *find_query(struct evhttp_request *request, struct evkeyvalq *list,
			      const char *name)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));

	if (!query || evhttp_parse_query_str(query, list))
		return NULL;
	return evhttp_find_header(list, name);
}

/* ---- What can be asked ---------------------------------------------------------- */

static void serve_status(struct api *api, struct evhttp_request *request)
{
	answer(request, HTTP_OK, status_of_instance(api->instance));
}

static void serve_where(struct api *api, struct evhttp_request *request)
{
	struct evkeyvalq query = {0};
	const char *text = find_query(request, &query, "address");
	struct sockaddr_storage client;

	if (!text || sticky_address_parse(text, &client))
		answer_error(request, HTTP_BADREQUEST,
			     "address: not an IP address, such as 203.0.113.9 or 2001:db8::1");
	else
		answer(request, HTTP_OK,
		       status_of_client(api->instance, text, (const void *)&client));
	evhttp_clear_headers(&query);
}

static void on_waiter_gone(struct evhttp_connection *connection, void *context)
{
	struct waiter *waiter = context;

	(void)connection;
	waiter->request = NULL; /* libevent frees it with its connection */
}

static void serve_stop(struct api *api, struct evhttp_request *request)
{
	struct evkeyvalq query = {0};
	const char *now = find_query(request, &query, "now");
	struct waiter *waiter = calloc(1, sizeof(*waiter));
	bool is_now = now && !strcmp(now, "1");

	evhttp_clear_headers(&query);
	if (!waiter) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
		return;
	}
	*waiter = (struct waiter){.api = api, .next = api->waiters, .request = request};
	api->waiters = waiter;
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_waiter_gone,
				      waiter);
	/* The answer takes as long as the workers do: no limit on this connection. */
	evhttp_connection_set_timeout(evhttp_request_get_connection(request), 0);
	api->stop(api->context, is_now);
}

static const struct route {
	const char *path;
	enum evhttp_cmd_type method;
	void (*serve)(struct api *api, struct evhttp_request *request);
} routes[] = {
	{"/v1/status", EVHTTP_REQ_GET, serve_status},
	{"/v1/where", EVHTTP_REQ_GET, serve_where},
	{"/v1/stop", EVHTTP_REQ_POST, serve_stop},
};

static void on_request(struct evhttp_request *request, void *context)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
	size_t i;

	if (!is_allowed(request)) {
		answer_error(request, 403, "only the instance's own user and root may ask");
		return;
	}
	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (!path || strcmp(path, routes[i].path))
			continue;
		if (evhttp_request_get_command(request) != routes[i].method)
			answer_error(request, HTTP_BADMETHOD, "another method is needed");
		else
			routes[i].serve(context, request);
		return;
	}
	answer_error(request, HTTP_NOTFOUND, "no such resource");
}

static void on_answer_sent(struct evhttp_connection *connection, void *context)
{
	struct api *api = context;

	(void)connection;
	if (--api->answers == 0)
		api->answered(api->context);
}

unsigned int api_answer_stop(struct api *api, bool killed)
{
	struct waiter *waiter;

	while ((waiter = api->waiters)) {
		api->waiters = waiter->next;
		if (waiter->request) {
			api->answers++;
			evhttp_connection_set_closecb(
				evhttp_request_get_connection(waiter->request), on_answer_sent,
				api);
			answer(waiter->request, HTTP_OK,
			       json_pack("{s:b, s:b}", "stopped", 1, "killed", killed));
		}
		free(waiter);
	}
	return api->answers;
}

/* ---- The socket ----------------------------------------------------------------- */

static int bind_path(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t former;
	int fd, error;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	former = umask(0177);
	error = bind(fd, (const void *)&address, sizeof(address)) || listen(fd, 64) ? -errno : 0;
	umask(former);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

int api_open(struct event_base *base, const char *path, const struct instance *instance,
	     api_stop_fn *stop, api_answered_fn *answered, void *context, struct api **ret_api)
{
	struct api *api = calloc(1, sizeof(*api));
	int fd, error = 0;

	if (!api)
		return -ENOMEM;
	*api = (struct api){
		.instance = instance, .stop = stop, .answered = answered, .context = context};
	api->http = evhttp_new(base);
	fd = bind_path(path);
	if (fd < 0 || !api->http)
		error = fd < 0 ? fd : -ENOMEM;
	else if (evhttp_accept_socket(api->http, fd))
		error = -ENOMEM;
	if (error) {
		if (fd >= 0)
			close(fd);
		api_close(api);
		return error;
	}
	evhttp_set_gencb(api->http, on_request, api);
	evhttp_set_allowed_methods(api->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
	evhttp_set_max_headers_size(api->http, HEADERS_MAX);
	evhttp_set_max_body_size(api->http, BODY_MAX);
	evhttp_set_timeout(api->http, IDLE_SECONDS);
	*ret_api = api;
	return 0;
}

void api_close(struct api *api)
{
	struct waiter *waiter;

	if (!api)
		return;
	while ((waiter = api->waiters)) {
		api->waiters = waiter->next;
		if (waiter->request)
			evhttp_connection_set_closecb(
				evhttp_request_get_connection(waiter->request), NULL, NULL);
		free(waiter);
	}
	if (api->http)
		evhttp_free(api->http);
	free(api);
}
