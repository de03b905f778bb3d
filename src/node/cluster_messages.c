// SPDX-License-Identifier: MIT
#include "node/cluster_messages.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define STOP_CMD "NODE_STICKYCTL" /* the `cmd` of the messages from and to stop.js */

static const char *text_of(const json_t *message, const char *name)
{
	const char *text = json_string_value(json_object_get(message, name));

	return text ? text : "";
}

/* Read a number. Returns -1 if the member is no number, or out of the range of int. */
static int number_of(const json_t *message, const char *name)
{
	const json_t *value = json_object_get(message, name);
	json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;

	return number < INT32_MIN || number > INT32_MAX ? -1 : (int)number;
}

/* ---- Messages of the worker -------------------------------------------------------------- */

static void read_query(const json_t *message, struct cluster_query *query)
{
	const json_t *type = json_object_get(message, "addressType");

	*query = (struct cluster_query){
		.port = number_of(message, "port"),
		.fd = number_of(message, "fd"),
		.index = number_of(message, "index"),
		.flags = number_of(message, "flags"),
		.address_type = number_of(message, "addressType"),
	};
	if (query->index < 0)
		query->index = 0;
	if (query->flags < 0)
		query->flags = 0;
	query->is_too_long = strlen(text_of(message, "address")) >= sizeof(query->address);
	snprintf(query->address, sizeof(query->address), "%s", text_of(message, "address"));
	if (!strcmp(text_of(message, "addressType"), "udp4"))
		query->udp = '4';
	else if (!strcmp(text_of(message, "addressType"), "udp6"))
		query->udp = '6';
	else if (!json_is_integer(type))
		query->address_type = -1;
}

static void read_cluster(const json_t *message, struct cluster_event *event)
{
	static const struct {
		const char *act;
		enum cluster_kind kind;
	} acts[] = {
		{"online", CLUSTER_ONLINE},
		{"queryServer", CLUSTER_QUERY},
		{"listening", CLUSTER_LISTENING},
		{"close", CLUSTER_CLOSED},
		{"exitedAfterDisconnect", CLUSTER_LEAVING},
	};
	const char *act = text_of(message, "act");
	size_t i;

	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (!strcmp(act, acts[i].act))
			event->kind = acts[i].kind;
	if (event->kind == CLUSTER_QUERY || event->kind == CLUSTER_LISTENING)
		read_query(message, &event->query);
	event->data = json_object_get(message, "data");
	if (event->kind == CLUSTER_CLOSED)
		snprintf(event->key, sizeof(event->key), "%s", text_of(message, "key"));
	if (json_is_integer(json_object_get(message, "ack"))) {
		event->kind = CLUSTER_ANSWER;
		event->ack = json_integer_value(json_object_get(message, "ack"));
		event->accepted = json_is_true(json_object_get(message, "accepted"));
	}
}

static void read_stop_answer(const json_t *message, struct cluster_event *event)
{
	event->kind = json_is_true(json_object_get(message, "loaded")) ? CLUSTER_HAS_PRELOAD
								       : CLUSTER_STOP_ANSWER;
	event->handles_signal = json_is_string(json_object_get(message, "signal"));
	event->handles_disconnect = json_is_true(json_object_get(message, "disconnect"));
}

enum cluster_address cluster_address(const struct node_message *message)
{
	static const char *const name = "cmd";
	static const char prefix[] = "NODE_";
	struct node_message_texts texts;
	struct json_part cmd, whole;

	if (!node_message_scan(message, &name, 1, &cmd, &whole, &texts))
		return CLUSTER_NO_VALUE;
	if (json_part_is(&cmd, "NODE_HANDLE"))
		return CLUSTER_HANDLE;
	if (cmd.kind == JSON_SCAN_STRING && cmd.length >= strlen(prefix) &&
	    !memcmp(cmd.text, prefix, strlen(prefix)))
		return CLUSTER_TO_PRIMARY;
	return json_part_is(&cmd, "ready") || json_part_is(&cmd, "disconnect") ||
			       json_part_is(&whole, "ready")
		       ? CLUSTER_TO_PRIMARY
		       : CLUSTER_APPLICATION;
}

void cluster_read(const json_t *message, struct cluster_event *ret_event)
{
	const char *cmd = json_is_object(message) ? text_of(message, "cmd") : "";
	struct cluster_event event = {.kind = CLUSTER_OTHER};

	event.seq = json_integer_value(json_object_get(message, "seq"));
	if (!strcmp(cmd, "NODE_CLUSTER"))
		read_cluster(message, &event);
	else if (!strcmp(cmd, "NODE_HANDLE_ACK"))
		event.kind = CLUSTER_HANDLE_TAKEN;
	else if (!strcmp(cmd, "NODE_HANDLE_NACK"))
		event.kind = CLUSTER_HANDLE_LOST;
	else if (!strcmp(cmd, "ready") ||
		 (json_is_string(message) && !strcmp(json_string_value(message), "ready")))
		event.kind = CLUSTER_SAYS_READY;
	else if (!strcmp(cmd, "disconnect"))
		event.kind = CLUSTER_WANTS_OUT;
	else if (!strcmp(cmd, STOP_CMD))
		read_stop_answer(message, &event);
	*ret_event = event;
}

void cluster_key(const struct cluster_query *query, size_t size, char *ret_key)
{
	snprintf(ret_key, size, "%s:%d:%s%c%d:%d:%d", query->address, query->port,
		 query->udp ? "udp" : "", query->udp ? query->udp : ' ', query->address_type,
		 query->fd, query->udp || !query->port ? query->index : 0);
}

/* ---- Messages to the worker ---------------------------------------------------------------- */

json_t *cluster_reply(json_int_t ack, const char *key, int error, const json_t *data,
		      json_int_t seq)
{
	return json_pack("{s:s, s:i, s:s, s:I, s:o, s:I}", "cmd", "NODE_CLUSTER", "errno", error,
			 "key", key, "ack", ack, "data", data ? json_deep_copy(data) : json_null(),
			 "seq", seq);
}

json_t *cluster_wrap(json_t *message, bool udp)
{
	if (!message)
		return NULL;
	return json_pack("{s:s, s:s, s:o}", "cmd", "NODE_HANDLE", "type",
			 udp ? "dgram.Native" : "net.Native", "msg", message);
}

json_t *cluster_connection(const char *key, json_int_t seq)
{
	return json_pack("{s:s, s:s, s:s, s:I}", "cmd", "NODE_CLUSTER", "act", "newconn", "key",
			 key, "seq", seq);
}

json_t *cluster_socket(json_t *message)
{
	if (!message)
		return NULL;
	return json_pack("{s:s, s:s, s:o}", "cmd", "NODE_HANDLE", "type", "net.Socket", "msg",
			 message);
}

json_t *cluster_disconnect(json_int_t seq)
{
	return json_pack("{s:s, s:s, s:I}", "cmd", "NODE_CLUSTER", "act", "disconnect", "seq", seq);
}

json_t *cluster_handle_taken(void)
{
	return json_pack("{s:s}", "cmd", "NODE_HANDLE_ACK");
}

json_t *cluster_acknowledge(json_int_t ack, json_int_t seq)
{
	return json_pack("{s:s, s:I, s:I}", "cmd", "NODE_CLUSTER", "ack", ack, "seq", seq);
}

json_t *cluster_tell_stop(const struct cluster_stop *stop)
{
	json_t *names = json_array();
	size_t i;

	for (i = 0; i < sizeof(stop->signals) / sizeof(stop->signals[0]); i++)
		if (stop->signals[i])
			json_array_append_new(
				names, json_sprintf("SIG%s", sigabbrev_np(stop->signals[i])));
	/* Node.js's setTimeout() takes a larger number of milliseconds for 1 ms. */
	return json_pack(
		"{s:s, s:o, s:I, s:b, s:I, s:s*}", "cmd", STOP_CMD, "signals", names, "after",
		(json_int_t)(stop->after_ms > INT32_MAX ? INT32_MAX : stop->after_ms), "idle",
		stop->when_idle, "kept", (json_int_t)stop->kept_ms, "message", stop->message);
}
