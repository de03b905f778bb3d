// SPDX-License-Identifier: MIT
#include "relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE	 "_sio_adapter"
#define UIDS_MAX 4096 /* of a member: one for each namespace of its application */

/* Of socket.io-adapter's MessageType. */
enum { FETCH_SOCKETS_RESPONSE = 8, SERVER_SIDE_EMIT_RESPONSE = 10, ADAPTER_CLOSE = 13 };

struct relay_member {
	struct relay *relay;
	struct relay_member *next;
	relay_send_fn *send;
	void *context;
	json_t *uids; /* the names under which it spoke -> of which namespace */
};

struct relay {
	struct relay_member *members;
};

int relay_open(struct relay **ret_relay)
{
	*ret_relay = calloc(1, sizeof(**ret_relay));
	return *ret_relay ? 0 : -ENOMEM;
}

void relay_close(struct relay *relay)
{
	free(relay);
}

int relay_join(struct relay *relay, relay_send_fn *send, void *context,
	       struct relay_member **ret_member)
{
	struct relay_member *member = calloc(1, sizeof(*member));

	if (!member)
		return -ENOMEM;
	*member = (struct relay_member){
		.relay = relay,
		.next = relay->members,
		.send = send,
		.context = context,
		.uids = json_object(),
	};
	if (!member->uids) {
		free(member);
		return -ENOMEM;
	}
	relay->members = member;
	*ret_member = member;
	return 0;
}

void relay_leave(struct relay_member *member)
{
	struct relay_member **link;

	if (!member)
		return;
	link = &member->relay->members;
	while (*link != member)
		link = &(*link)->next;
	*link = member->next;
	json_decref(member->uids);
	free(member);
}

static void note_uid(struct relay_member *member, const json_t *message)
{
	const char *uid = json_string_value(json_object_get(message, "uid"));
	const char *nsp = json_string_value(json_object_get(message, "nsp"));

	if (uid && json_object_size(member->uids) < UIDS_MAX)
		json_object_set_new(member->uids, uid, json_string(nsp ? nsp : "/"));
}

static bool is_answer(const json_t *message)
{
	json_int_t type = json_integer_value(json_object_get(message, "type"));

	return type == FETCH_SOCKETS_RESPONSE || type == SERVER_SIDE_EMIT_RESPONSE;
}

static void pass_to_others(const struct relay_member *member, const json_t *message)
{
	const struct relay_member *other;

	for (other = member->relay->members; other; other = other->next)
		if (other != member)
			other->send(other->context, message);
}

/* Who asked a former controller is not known yet: who did not ask takes no notice. */
static void pass_answer(const struct relay_member *member, const json_t *message)
{
	const char *asker = json_string_value(json_object_get(message, "requesterUid"));
	const struct relay_member *other;

	if (!asker)
		return;
	for (other = member->relay->members; other; other = other->next)
		if (json_object_get(other->uids, asker)) {
			other->send(other->context, message);
			return;
		}
	pass_to_others(member, message);
}

bool relay_pass(struct relay_member *member, const json_t *message)
{
	const char *source = json_string_value(json_object_get(message, "source"));

	if (!source || strcmp(source, SOURCE))
		return false;
	note_uid(member, message);
	if (is_answer(message))
		pass_answer(member, message);
	else
		pass_to_others(member, message);
	return true;
}

void relay_end(struct relay_member *member)
{
	const char *uid;
	json_t *nsp, *message;

	json_object_foreach(member->uids, uid, nsp)
	{
		message = json_pack("{s:s, s:s, s:O, s:i}", "source", SOURCE, "uid", uid, "nsp",
				    nsp, "type", ADAPTER_CLOSE);
		if (message)
			pass_to_others(member, message);
		json_decref(message);
	}
	json_object_clear(member->uids);
}
