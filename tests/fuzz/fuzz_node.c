// SPDX-License-Identifier: MIT
/*
 * What a Node.js worker may send, in pieces of any size: its lines are messages whatever the
 * pieces, what is read of a message lies within bounds, and none of it is an end of the program.
 *
 * The first byte says how large the pieces are.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/cluster_messages.h"
#include "node/ipc.h"
#include "node/relay.h"

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

#define MEMBERS 2

struct worker {
	struct relay_member *members[MEMBERS];
	size_t messages, heard, ends;
};

static void hear(void *context, const json_t *message)
{
	struct worker *worker = context;

	check(json_is_object(message));
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

static void on_message(void *context, const json_t *message)
{
	struct worker *worker = context;
	struct cluster_event event;
	size_t heard = worker->heard;

	memset(&event, 0xa5, sizeof(event));
	cluster_read(message, &event);
	check(event.kind >= CLUSTER_OTHER && event.kind <= CLUSTER_WANTS_OUT);
	check(memchr(event.key, '\0', sizeof(event.key)));
	check(event.kind != CLUSTER_QUERY || json_is_object(message));
	check_query(&event.query);
	if (event.kind == CLUSTER_QUERY)
		check_reply(&event);
	if (!relay_pass(worker->members[0], message))
		check(worker->heard == heard);
	worker->messages++;
}

static void on_end(void *context)
{
	((struct worker *)context)->ends++;
}

static void on_drained(void *context)
{
	(void)context;
}

static size_t run(const uint8_t *data, size_t size, size_t piece)
{
	struct worker worker = {0};
	const struct node_ipc_callbacks callbacks = {
		.message = on_message, .end = on_end, .drained = on_drained, .context = &worker};
	struct event_base *base = event_base_new();
	struct node_ipc *ipc;
	struct relay *relay;
	int ends[2], i;

	check(base && !relay_open(&relay));
	for (i = 0; i < MEMBERS; i++)
		check(!relay_join(relay, hear, &worker, &worker.members[i]));
	check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
	check(!node_ipc_open(base, ends[0], &callbacks, &ipc));
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
	size_t piece;

	if (!size)
		return 0;
	piece = 1u + data[0];
	check(run(data + 1, size - 1, piece) == run(data + 1, size - 1, 16384));
	return 0;
}
