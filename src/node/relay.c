// SPDX-License-Identifier: MIT
#include "node/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ADAPTER_SOURCE "_sio_adapter" /* marks messages of @socket.io/cluster-adapter */
#define ENGINE_SOURCE  "_eio"	      /* marks messages of @socket.io/cluster-engine */
/* for each member; an application has one for each namespace */
#define UIDS_MAX 4096

/* Values of socket.io-adapter's MessageType. */
enum { FETCH_SOCKETS_RESPONSE = 8, SERVER_SIDE_EMIT_RESPONSE = 10, ADAPTER_CLOSE = 13 };

struct relay_member {
	struct relay *relay;
	struct relay_member *next;
	relay_send_fn *send;
	void *context;
	json_t *uids;	 /* maps the uid of each of its adapters to the adapter's namespace */
	json_t *engines; /* an object; its keys are the ids of its engines */
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

static void free_member(struct relay_member *member)
{
	json_decref(member->uids);
	json_decref(member->engines);
	free(member);
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
		.engines = json_object(),
	};
	if (!member->uids || !member->engines) {
		free_member(member);
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
	free_member(member);
}

static const char *text_of(const json_t *message, const char *name)
{
	return json_string_value(json_object_get(message, name));
}

static void note(json_t *names, const char *name, const char *of)
{
	if (name && json_object_size(names) < UIDS_MAX)
		json_object_set_new(names, name, json_string(of));
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

/* Returns the member that has sent a message with this uid or engine id, or NULL. */
static const struct relay_member *find(const struct relay *relay, const char *uid, bool is_engine)
{
	const struct relay_member *member = relay->members;

	while (member && !json_object_get(is_engine ? member->engines : member->uids, uid))
		member = member->next;
	return member;
}

/*
 * The recipient is unknown if it has sent messages only to a previous controller. The message goes
 * to all other members then, and those that it does not concern ignore it.
 */
static void pass_to_one(const struct relay_member *member, const char *uid, bool is_engine,
			const json_t *message)
{
	const struct relay_member *one = find(member->relay, uid, is_engine);

	if (one)
		one->send(one->context, message);
	else
		pass_to_others(member, message);
}

static void pass_of_adapter(struct relay_member *member, const json_t *message)
{
	const char *nsp = text_of(message, "nsp");
	const char *asker = text_of(message, "requesterUid");

	note(member->uids, text_of(message, "uid"), nsp ? nsp : "/");
	if (!is_answer(message))
		pass_to_others(member, message);
	else if (asker)
		pass_to_one(member, asker, false, message);
}

/*
 * Messages about a session that another worker has. A search for that worker goes to all members;
 * what follows goes to that worker alone.
 */
static void pass_of_engine(struct relay_member *member, const json_t *message)
{
	const char *recipient = text_of(message, "recipientId");

	note(member->engines, text_of(message, "senderId"), "");
	if (recipient)
		pass_to_one(member, recipient, true, message);
	else
		pass_to_others(member, message);
}

bool relay_pass(struct relay_member *member, const json_t *message)
{
	const char *adapter = text_of(message, "source");
	const char *engine = text_of(message, "_source");

	if (adapter && !strcmp(adapter, ADAPTER_SOURCE))
		pass_of_adapter(member, message);
	else if (engine && !strcmp(engine, ENGINE_SOURCE))
		pass_of_engine(member, message);
	else
		return false;
	return true;
}

void relay_end(struct relay_member *member)
{
	const char *uid;
	json_t *nsp, *message;

	json_object_foreach(member->uids, uid, nsp)
	{
		message = json_pack("{s:s, s:s, s:O, s:i}", "source", ADAPTER_SOURCE, "uid", uid,
				    "nsp", nsp, "type", ADAPTER_CLOSE);
		if (message)
			pass_to_others(member, message);
		json_decref(message);
	}
	json_object_clear(member->uids);
	json_object_clear(member->engines);
}
