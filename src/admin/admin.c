// SPDX-License-Identifier: MIT
#include "admin/admin.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin_clients.h"
#include "admin/admin_host.h"
#include "admin/admin_page.h"
#include "admin/admin_socket.h"
#include "admin/admin_stream.h"
#include "api/api_stream.h"
#include "api/bucket_map.h"
#include "api/http_accept.h"
#include "api/metrics_answer.h"
#include "api/status.h"
#include "api/where_answer.h"
#include "config/listen_address.h"
#include "supervise/shutdown.h"
#include "supervise/slot_view.h"

#define HEADERS_MAX  8192
#define BODY_MAX     1024 /* no request needs a body */
#define IDLE_SECONDS 10
#define METHODS_READ (EVHTTP_REQ_GET | EVHTTP_REQ_HEAD)
#define METHODS_ALL                                                                                \
	(METHODS_READ | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |                     \
	 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

static const struct admin_limits limits = {.clients = 64, .patience_ms = 30000};

struct admin {
	const struct instance *instance;
	char *address;
	struct unix_path path; /* the socket's file; none for TCP */
	struct evhttp *http;
	struct admin_clients *clients;
	struct admin_streams *streams;
};

/* ---- Answers ---------------------------------------------------------------------------- */

static const struct {
	const char *name, *value;
} headers[] = {
	/* Each connection has only one request, so that its time can be bounded. */
	{"Connection", "close"},
	{"Cache-Control", "no-store"},
	{"Content-Security-Policy",
	 "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
	 "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Referrer-Policy", "no-referrer"},
};

static void add_header(struct evhttp_request *request, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(request), name, value);
}

static void answer_text(struct evhttp_request *request, int code, const char *type,
			const char *text)
{
	struct evbuffer *body = evbuffer_new();

	if (!body || evbuffer_add(body, text, strlen(text))) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
	} else {
		add_header(request, "Content-Type", type);
		evhttp_send_reply(request, code, NULL, body);
	}
	if (body)
		evbuffer_free(body);
}

#define PLAIN "text/plain; charset=utf-8"

static void serve_health(struct admin *admin, struct evhttp_request *request)
{
	(void)admin;
	answer_text(request, HTTP_OK, PLAIN, "ok\n");
}

static bool has_ready_worker(const struct supervisor *supervisor)
{
	struct slot_view view;
	uint32_t slot;

	for (slot = 0; slot < supervisor_slots(supervisor); slot++) {
		slot_view_read(supervisor, slot, &view);
		if (view.has_worker && view.state == WORKER_READY)
			return true;
	}
	return false;
}

static void serve_readiness(struct admin *admin, struct evhttp_request *request)
{
	const struct instance *instance = admin->instance;

	if (instance->stop_announced || shutdown_has_begun(instance->supervisor))
		answer_text(request, HTTP_SERVUNAVAIL, PLAIN, "stopping\n");
	else if (!has_ready_worker(instance->supervisor))
		answer_text(request, HTTP_SERVUNAVAIL, PLAIN, "no slot has a ready worker\n");
	else
		answer_text(request, HTTP_OK, PLAIN, "ready\n");
}

static void serve_metrics(struct admin *admin, struct evhttp_request *request)
{
	metrics_answer(admin->instance, request);
}

static void serve_status(struct admin *admin, struct evhttp_request *request)
{
	api_answer(request, HTTP_OK, status_for_admin(admin->instance));
}

static void serve_buckets(struct admin *admin, struct evhttp_request *request)
{
	struct sticky_group *group = admin->instance->group;
	uint16_t *table = calloc(STICKY_BUCKET_COUNT, sizeof(*table));
	char *text = NULL;

	if (table) {
		sticky_group_table(group, table);
		text = bucket_map_json(sticky_group_slots(group), table);
	}
	if (text)
		answer_text(request, HTTP_OK, "application/json", text);
	else
		api_answer_error(request, HTTP_INTERNAL, "out of memory");
	free(text);
	free(table);
}

static void serve_where(struct admin *admin, struct evhttp_request *request)
{
	where_answer(admin->instance, request);
}

static void serve_events(struct admin *admin, struct evhttp_request *request)
{
	if (evhttp_request_get_command(request) == EVHTTP_REQ_HEAD)
		answer_text(request, HTTP_OK, "text/event-stream", "");
	else
		admin_streams_add(admin->streams, admin->clients, request);
}

struct route {
	const char *path;
	void (*serve)(struct admin *admin, struct evhttp_request *request);
	bool is_for_any_host; /* the header Host is not checked: load balancers may send any */
};

static const struct route routes[] = {
	{"/metrics", serve_metrics, false},	 {"/healthz", serve_health, true},
	{"/readyz", serve_readiness, true},	 {"/status.json", serve_status, false},
	{"/where", serve_where, false},		 {"/events", serve_events, false},
	{"/buckets.json", serve_buckets, false},
};

static const struct route *find_route(const char *path)
{
	size_t i;

	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (!strcmp(routes[i].path, path))
			return &routes[i];
	return NULL;
}

static void serve_file(struct evhttp_request *request, const char *path)
{
	const struct admin_file *file = admin_page_file(path);

	if (file)
		answer_text(request, HTTP_OK, file->type, file->text);
	else
		api_answer_error(request, HTTP_NOTFOUND,
				 "no such resource: there are /, /metrics, /healthz, /readyz, "
				 "/status.json, /buckets.json, /where and /events");
}

/* ---- The client ------------------------------------------------------------------------ */

/*
 * Returns true if the request's header Host is allowed. On a UNIX socket any is: no browser reaches
 * it.
 */
static bool is_host_allowed(const struct admin *admin, struct evhttp_request *request)
{
	const char *host = evhttp_find_header(evhttp_request_get_input_headers(request), "Host");
	char machine[HOST_NAME_MAX + 1] = "";

	if (listen_address_path(admin->address))
		return true;
	if (gethostname(machine, sizeof(machine) - 1))
		machine[0] = '\0';
	return admin_host_is_allowed(host, admin->address, machine);
}

static void on_request(struct evhttp_request *request, void *context)
{
	struct admin *admin = context;
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
	const struct route *route = find_route(path ? path : "");
	size_t i;

	admin_clients_expect_end(admin->clients, evhttp_request_get_connection(request));
	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		add_header(request, headers[i].name, headers[i].value);
	if (!(evhttp_request_get_command(request) & METHODS_READ)) {
		add_header(request, "Allow", "GET, HEAD");
		api_answer_error(request, HTTP_BADMETHOD,
				 "nothing can be changed here: GET and HEAD are answered");
	} else if (!(route && route->is_for_any_host) && !is_host_allowed(admin, request)) {
		api_answer_error(request, 421,
				 "this host name is not known here: ask by the IP address, or have "
				 "the name in --admin NAME:PORT");
	} else if (route) {
		route->serve(admin, request);
	} else {
		serve_file(request, path ? path : "");
	}
}

/* ---- Open and close ---------------------------------------------------------------------- */

static int open_server(struct admin *admin, struct event_base *base, int fd)
{
	int error;

	admin->http = evhttp_new(base);
	if (!admin->http)
		return -ENOMEM;
	evhttp_set_gencb(admin->http, on_request, admin);
	evhttp_set_allowed_methods(admin->http, METHODS_ALL);
	evhttp_set_max_headers_size(admin->http, HEADERS_MAX);
	evhttp_set_max_body_size(admin->http, BODY_MAX);
	evhttp_set_timeout(admin->http, IDLE_SECONDS);
	error = admin_clients_open(base, admin->http, &limits, &admin->clients);
	if (!error)
		error = admin_streams_open(base, admin->instance, &admin->streams);
	return error ? error : accepting_start(admin->http, fd);
}

int admin_open(struct event_base *base, const char *address, const struct user_rights *rights,
	       const struct instance *instance, struct admin **ret_admin,
	       struct error_text *ret_error)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int fd, error;

	error_text_set(ret_error, "--admin: out of memory");
	if (!admin)
		return -ENOMEM;
	*admin = (struct admin){
		.instance = instance, .address = strdup(address), .path = UNIX_PATH_NONE};
	fd = admin->address ? admin_socket_open(address, rights, &admin->path, ret_error) : -ENOMEM;
	error = fd < 0 ? fd : open_server(admin, base, fd);
	if (error) {
		if (fd >= 0)
			close(fd);
		admin_close(admin);
		return error;
	}
	*ret_admin = admin;
	return 0;
}

void admin_close(struct admin *admin)
{
	if (!admin)
		return;
	admin_streams_close(admin->streams);
	if (admin->http)
		evhttp_free(admin->http);
	admin_clients_close(admin->clients);
	unix_path_remove(&admin->path);
	free(admin->address);
	free(admin);
}
