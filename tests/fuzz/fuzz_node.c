// SPDX-License-Identifier: MIT
/*
 * Any bytes that a Node.js worker sends, in pieces of any size. The messages do not depend on the
 * size of the pieces, each part of a message that is read lies within the message, and no input
 * ends the program.
 *
 * The first byte of the input says how large the pieces are, which format the messages have, and
 * whether a previous controller may have read the beginning.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/cluster_messages.h"
#include "node/ipc.h"
#include "node/json_scan.h"
#include "node/node_message.h"
#include "node/relay.h"
#include "node/unheard.h"
#include "node/v8_value.h"

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

#define MEMBERS 2

struct worker {
	struct relay_member *members[MEMBERS];
	struct unheard unheard;
	size_t messages, heard, ends;
	enum node_format format;
};

static void hear(void *context, const struct node_message *message)
{
	struct worker *worker = context;
	struct node_message_texts texts;
	struct json_part whole;

	/*
	 * A Node.js worker would end if it got bytes that are no value, or a text with a line end
	 * in it.
	 */
	check(node_message_scan(message, NULL, 0, NULL, &whole, &texts));
	check(whole.kind == JSON_SCAN_OBJECT);
	check(message->format == NODE_FORMAT_ADVANCED ||
	      !memchr(message->bytes, '\n', message->length));
	worker->heard++;
}

static void check_query(const struct cluster_query *query)
{
	char key[64];

	check(memchr(query->address, '\0', sizeof(query->address)));
	check(query->udp == 0 || query->udp == '4' || query->udp == '6');
	check(query->index >= 0 && query->flags >= 0);
	cluster_key(query, sizeof(key), key);
	check(strlen(key) < sizeof(key));
}

static void check_reply(const struct cluster_event *event)
{
	json_t *reply = cluster_wrap(cluster_reply(event->seq, event->key, -1, event->data, 1),
				     event->query.udp != 0);
	char *text = json_dumps(reply, JSON_COMPACT);

	check(text && !strchr(text, '\n'));
	free(text);
	json_decref(reply);
}

static void check_message(const json_t *message)
{
	struct cluster_event event;

	memset(&event, 0xa5, sizeof(event));
	cluster_read(message, &event);
	check(event.kind >= CLUSTER_OTHER && event.kind <= CLUSTER_STOP_ANSWER);
	check(memchr(event.key, '\0', sizeof(event.key)));
	check(event.kind != CLUSTER_QUERY || json_is_object(message));
	check_query(&event.query);
	if (event.kind == CLUSTER_QUERY)
		check_reply(&event);
}

static void check_unheard(struct worker *worker, const struct node_message *message)
{
	char kind[UNHEARD_KIND_SIZE];
	const char *cure;

	if (unheard_note(&worker->unheard, message, kind, &cure))
		check(memchr(kind, '\0', sizeof(kind)) && !strpbrk(kind, "\"\n") && *cure);
}

/*
 * Check that the scanner accepts each text that jansson accepts, and that each part lies within the
 * text.
 */
static void check_json(const struct node_message *bytes, const json_t *message)
{
	const char *text = bytes->bytes;
	size_t length = bytes->length;
	static const char *const names[] = {"cmd", "a"};
	struct json_part parts[2];
	enum json_scan_kind kind;
	bool is_json = json_scan(text, length, names, 2, parts, &kind);
	size_t i;

	/* jansson takes a NUL for the end of the text. */
	check(is_json || !message || memchr(text, '\0', length));
	for (i = 0; is_json && i < 2; i++) {
		check(parts[i].kind == JSON_SCAN_ABSENT ||
		      (parts[i].text >= text && parts[i].length <= length &&
		       parts[i].text + parts[i].length <= text + length));
		/*
		 * json_scan() does not decode escapes in names, so jansson may find members that it
		 * does not find. The reverse must hold.
		 */
		if (message && parts[i].kind != JSON_SCAN_ABSENT)
			check(json_object_get(message, names[i]));
	}
	check((cluster_address(bytes) == CLUSTER_NO_VALUE) == !is_json);
}

/*
 * Check that a message that becomes JSON is a value. It can be written again, and then read with
 * the same members.
 */
static void check_advanced(const struct node_message *bytes, const json_t *message)
{
	bool is_value = !node_message_check_advanced(bytes->bytes, bytes->length);
	json_t *again = NULL;
	char *written;
	size_t length;

	check((cluster_address(bytes) == CLUSTER_NO_VALUE) <= !is_value || !message);
	if (!message)
		return;
	check(is_value);
	if (v8_from_json(message, 0, &written, &length))
		return; /* a Buffer below the deepest level can't be written */
	if (!v8_to_json(written, length, &again))
		check(json_equal(message, again));
	json_decref(again);
	free(written);
}

static void on_bytes(void *context, const struct node_message *bytes)
{
	struct worker *worker = context;
	size_t heard = worker->heard;
	json_t *message = node_message_load(bytes);

	if (bytes->format == NODE_FORMAT_JSON)
		check_json(bytes, message);
	else
		check_advanced(bytes, message);
	if (message)
		check_message(message);
	json_decref(message);
	if (!relay_pass(worker->members[0], bytes))
		check(worker->heard == heard);
	check_unheard(worker, bytes);
	worker->messages++;
}

static void on_too_long(void *context)
{
	/*
	 * A line is never longer than the input. A frame states its length, which may be too large.
	 */
	check(((struct worker *)context)->format == NODE_FORMAT_ADVANCED);
}

static void on_end(void *context)
{
	((struct worker *)context)->ends++;
}

static void on_drained(void *context)
{
	(void)context;
}

static size_t run(const uint8_t *data, size_t size, size_t piece, struct node_ipc_end end)
{
	struct worker worker = {.format = end.format};
	const struct node_ipc_callbacks callbacks = {.message = on_bytes,
						     .too_long = on_too_long,
						     .end = on_end,
						     .drained = on_drained,
						     .context = &worker};
	struct event_base *base = event_base_new();
	struct node_ipc *ipc;
	struct relay *relay;
	int ends[2], i;

	check(base && !relay_open(&relay));
	for (i = 0; i < MEMBERS; i++)
		check(!relay_join(relay, hear, &worker, &worker.members[i]));
	check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
	end.fd = ends[0];
	check(!node_ipc_open(base, &end, &callbacks, &ipc));
	while (size) {
		size_t length = size < piece ? size : piece;

		check(send(ends[1], data, length, 0) == (ssize_t)length);
		event_base_loop(base, EVLOOP_NONBLOCK);
		data += length;
		size -= length;
	}
	close(ends[1]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	check(worker.ends == 1);
	node_ipc_close(ipc);
	for (i = 0; i < MEMBERS; i++)
		relay_leave(worker.members[i]);
	relay_close(relay);
	event_base_free(base);
	return worker.messages;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct node_ipc_end end;
	size_t piece;

	if (!size)
		return 0;
	piece = 1u + (data[0] & 0x3f);
	end.format = data[0] & 0x40 ? NODE_FORMAT_ADVANCED : NODE_FORMAT_JSON;
	end.is_adopted = data[0] & 0x80;
	/*
	 * The search for the beginning of a message may take bytes for a message that are not
	 * complete yet. The result then depends on the size of the pieces.
	 */
	if (end.format == NODE_FORMAT_ADVANCED && end.is_adopted)
		run(data + 1, size - 1, piece, end);
	else
		check(run(data + 1, size - 1, piece, end) == run(data + 1, size - 1, 16384, end));
	return 0;
}
