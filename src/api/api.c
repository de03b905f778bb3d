// SPDX-License-Identifier: MIT
#include "api/api.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/api_clients.h"
#include "api/http_accept.h"
#include "api/api_logs.h"
#include "api/api_stream.h"
#include "api/open_answer.h"
#include "api/metrics_answer.h"
#include "api/query.h"
#include "api/slot_requests.h"
#include "api/status.h"
#include "api/where_answer.h"
#include "supervise/rolling_reload.h"
#include "common/error_text.h"

#define HEADERS_MAX  8192
#define BODY_MAX     65536
#define IDLE_SECONDS 10 /* a connection without input is closed after this time */

/* A client of POST /v1/stop that waits until the instance has stopped. */
struct waiter {
	struct api *api;
	struct waiter *next;
	struct evhttp_request *request; /* NULL: the client has closed its connection */
};

struct api {
	const struct instance *instance;
	struct api_orders orders;
	struct api_streams *streams;
	struct api_logs *logs;
	struct evhttp *http;
	struct waiter *waiters;
	unsigned int answers; /* number of answers to `stop` that are being sent */
};

/* ---- The client ------------------------------------------------------------------ */

/*
 * Returns true if the peer has this uid or is root. The mode of the socket's file already keeps
 * other users out.
 */
static bool is_allowed(struct evhttp_request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	struct ucred peer;
	socklen_t length = sizeof(peer);
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

/* ---- The requests ---------------------------------------------------------------- */

static void serve_status(struct api *api, struct evhttp_request *request)
{
	api_answer(request, HTTP_OK, status_of_instance(api->instance));
}

static void serve_where(struct api *api, struct evhttp_request *request)
{
	where_answer(api->instance, request);
}

static void serve_clients(struct api *api, struct evhttp_request *request)
{
	api_serve_clients(api->instance, request);
}

static void serve_metrics(struct api *api, struct evhttp_request *request)
{
	metrics_answer(api->instance, request);
}

static void on_waiter_gone(struct evhttp_connection *connection, void *context)
{
	struct waiter *waiter = context;

	(void)connection;
	api_forget(waiter->request);
	waiter->request = NULL;
}

static void serve_stop(struct api *api, struct evhttp_request *request)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));
	bool is_now = query_says(request, "now", "1");

	if (!waiter) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
		return;
	}
	*waiter = (struct waiter){.api = api, .next = api->waiters, .request = request};
	api->waiters = waiter;
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_waiter_gone,
				      waiter);
	/* No time limit on this connection: the answer comes when the last worker has ended. */
	evhttp_connection_set_timeout(evhttp_request_get_connection(request), 0);
	api->orders.stop(api->orders.context, is_now);
}

static void serve_drain(struct api *api, struct evhttp_request *request)
{
	slot_request_drain(api->instance->supervisor, request);
}

static void serve_ready(struct api *api, struct evhttp_request *request)
{
	slot_request_ready(api->instance->supervisor, request);
}

static void serve_restart(struct api *api, struct evhttp_request *request)
{
	slot_request_restart(api->instance->supervisor, request);
}

static void serve_scale(struct api *api, struct evhttp_request *request)
{
	slot_request_scale(api->instance->supervisor, request);
}

static void serve_events(struct api *api, struct evhttp_request *request)
{
	api_stream_events(api->streams, request, query_says(request, "follow", "1"));
}

static void serve_logs(struct api *api, struct evhttp_request *request)
{
	api_logs_serve(api->logs, request);
}

static void serve_reload(struct api *api, struct evhttp_request *request)
{
	bool drained = query_says(request, "wait", "drained");
	struct error_text text = {""};
	struct api_stream *stream = NULL;
	int result;

	/* The stream must exist before the reload begins, so that it gets the first event, too. */
	if (query_has(request, "wait"))
		stream = api_stream_hold(api->streams, request);
	result = api->orders.reload(api->orders.context, &text);
	if (result < 0) {
		api_stream_drop(api->streams, stream);
		api_answer_error(request, result == -EBADMSG ? HTTP_BAD_CONFIG : 409, text.text);
	} else if (stream) {
		api_stream_reload(stream,
				  rolling_reload_id(api->instance->supervisor) + (uint32_t)result,
				  drained);
	} else {
		api_answer(request, HTTP_OK,
			   json_pack("{s:s, s:i, s:s}", "reload", result ? "queued" : "begun",
				     "number",
				     (int)rolling_reload_id(api->instance->supervisor) + result,
				     "note", text.text));
	}
}

static void on_upgrade_answered(struct evhttp_connection *connection, void *context)
{
	struct api *api = context;

	(void)connection;
	api->orders.upgrade(api->orders.context);
}

static void serve_upgrade(struct api *api, struct evhttp_request *request)
{
	uint32_t number = api->instance->upgrade.number + 1;
	struct error_text error;

	if (api->orders.may_upgrade(api->orders.context, &error)) {
		api_answer_error(request, 409, error.text);
		return;
	}
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_upgrade_answered,
				      api);
	/* The upgrade begins when the connection is closed, which follows the answer. */
	evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
	api_answer(request, HTTP_OK,
		   json_pack("{s:s, s:i, s:s}", "upgrade", "begun", "number", (int)number,
			     "started_at", api->instance->started_at));
}

static const struct route {
	const char *path;
	enum evhttp_cmd_type method;
	void (*serve)(struct api *api, struct evhttp_request *request);
} routes[] = {
	{"/v1/status", EVHTTP_REQ_GET, serve_status},
	{"/v1/where", EVHTTP_REQ_GET, serve_where},
	{"/v1/clients", EVHTTP_REQ_GET, serve_clients},
	{"/v1/events", EVHTTP_REQ_GET, serve_events},
	{"/v1/logs", EVHTTP_REQ_GET, serve_logs},
	{"/v1/metrics", EVHTTP_REQ_GET, serve_metrics},
	{"/v1/stop", EVHTTP_REQ_POST, serve_stop},
	{"/v1/reload", EVHTTP_REQ_POST, serve_reload},
	{"/v1/upgrade", EVHTTP_REQ_POST, serve_upgrade},
	{"/v1/scale", EVHTTP_REQ_POST, serve_scale},
	{"/v1/drain", EVHTTP_REQ_POST, serve_drain},
	{"/v1/ready", EVHTTP_REQ_POST, serve_ready},
	{"/v1/restart", EVHTTP_REQ_POST, serve_restart},
};

static void on_request(struct evhttp_request *request, void *context)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
	size_t i;

	if (!is_allowed(request)) {
		api_answer_error(request, 403, "only the instance's own user and root may ask");
		return;
	}
	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (!path || strcmp(path, routes[i].path))
			continue;
		if (evhttp_request_get_command(request) != routes[i].method)
			api_answer_error(request, HTTP_BADMETHOD,
					 "this resource needs another method: GET or POST");
		else
			routes[i].serve(context, request);
		return;
	}
	api_answer_error(request, HTTP_NOTFOUND, "no such resource");
}

static void on_answer_sent(struct evhttp_connection *connection, void *context)
{
	struct api *api = context;

	(void)connection;
	if (--api->answers == 0)
		api->orders.answered(api->orders.context);
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
			api_answer(waiter->request, HTTP_OK,
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
	mode_t previous;
	int fd, error;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	previous = umask(0177);
	error = bind(fd, (const void *)&address, sizeof(address)) || listen(fd, 64) ? -errno : 0;
	umask(previous);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

int api_open(struct event_base *base, const char *path, const struct instance *instance,
	     const struct api_orders *orders, struct api **ret_api)
{
	struct api *api = calloc(1, sizeof(*api));
	int fd, error = 0;

	if (!api)
		return -ENOMEM;
	*api = (struct api){.instance = instance, .orders = *orders};
	if (api_streams_open(instance->journal, &api->streams) ||
	    api_logs_open(base, instance, &api->logs)) {
		api_close(api);
		return -ENOMEM;
	}
	api->http = evhttp_new(base);
	fd = bind_path(path);
	if (fd < 0 || !api->http)
		error = fd < 0 ? fd : -ENOMEM;
	else
		error = accepting_start(api->http, fd);
	if (error) {
		if (fd >= 0)
			close(fd);
		api_close(api);
		return error;
	}
	evhttp_set_bevcb(api->http, accepting_make_stream, NULL);
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
	api_streams_close(api->streams);
	api_logs_close(api->logs);
	if (api->http)
		evhttp_free(api->http);
	free(api);
}
