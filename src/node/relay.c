// SPDX-License-Identifier: MIT
#include "node/relay.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADAPTER_SOURCE "_sio_adapter" /* marks messages of @socket.io/cluster-adapter */
#define ENGINE_SOURCE  "_eio"	      /* marks messages of @socket.io/cluster-engine */
/* ids noted for each member; an application has one for each namespace */
#define UIDS_MAX 4096
#define ID_SIZE	 256 /* bytes, with the final NUL; a longer id is not noted */

/* Values of socket.io-adapter's MessageType. */
#define FETCH_SOCKETS_RESPONSE	  "8"
#define SERVER_SIDE_EMIT_RESPONSE "10"
#define ADAPTER_CLOSE		  "13"

/* The members of a message that decide where it is passed to. */
enum { SOURCE, ENGINE, TYPE, UID, NSP, REQUESTER, SENDER, RECIPIENT, MEMBER_COUNT };

static const char *const member_names[MEMBER_COUNT] = {
	[SOURCE] = "source",   [ENGINE] = "_source",
	[TYPE] = "type",       [UID] = "uid",
	[NSP] = "nsp",	       [REQUESTER] = "requesterUid",
	[SENDER] = "senderId", [RECIPIENT] = "recipientId",
};

struct message {
	const struct node_message *whole;
	struct json_part parts[MEMBER_COUNT];
};

struct relay_member {
	struct relay *relay;
	struct relay_member *next;
	relay_send_fn *send;
	void *context;
	/*
	 * Two objects. `uids` has the uid of each of the worker's adapters, with the adapter's
	 * namespace as the value. `engines` has the ids of its engines. All texts keep their
	 * escapes.
	 */
	json_t *uids;
	json_t *engines;
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

/* Copy an id. Returns false if the part is no string, or too long. */
static bool read_id(const struct json_part *part, char id[ID_SIZE])
{
	if (part->kind != JSON_SCAN_STRING || part->length >= ID_SIZE)
		return false;
	memcpy(id, part->text, part->length);
	id[part->length] = '\0';
	return true;
}

static void note(json_t *names, const struct json_part *name, const char *of)
{
	char id[ID_SIZE];

	if (read_id(name, id) && json_object_size(names) < UIDS_MAX)
		json_object_set_new(names, id, json_string(of));
}

static bool is_number(const struct json_part *part, const char *number)
{
	return part->kind == JSON_SCAN_NUMBER && part->length == strlen(number) &&
	       !memcmp(part->text, number, part->length);
}

static bool is_answer(const struct message *message)
{
	const struct json_part *type = &message->parts[TYPE];

	return is_number(type, FETCH_SOCKETS_RESPONSE) ||
	       is_number(type, SERVER_SIDE_EMIT_RESPONSE);
}

static void pass_to_others(const struct relay_member *member, const struct node_message *message)
{
	const struct relay_member *other;

	for (other = member->relay->members; other; other = other->next)
		if (other != member)
			other->send(other->context, message);
}

/* Returns the member that has sent a message with this uid or engine id, or NULL. */
static const struct relay_member *find(const struct relay *relay, const struct json_part *part,
				       bool is_engine)
{
	const struct relay_member *member = relay->members;
	char id[ID_SIZE];

	if (!read_id(part, id))
		return NULL;
	while (member && !json_object_get(is_engine ? member->engines : member->uids, id))
		member = member->next;
	return member;
}

/*
 * Pass a message to one member. The member is not known if it has sent messages only to a previous
 * controller. The message then goes to all other members, and those that it does not concern ignore
 * it.
 */
static void pass_to_one(const struct relay_member *member, const struct json_part *id,
			bool is_engine, const struct message *message)
{
	const struct relay_member *one = find(member->relay, id, is_engine);

	if (one)
		one->send(one->context, message->whole);
	else
		pass_to_others(member, message->whole);
}

static void pass_of_adapter(struct relay_member *member, const struct message *message)
{
	const struct json_part *asker = &message->parts[REQUESTER];
	char nsp[ID_SIZE];

	if (!read_id(&message->parts[NSP], nsp))
		strcpy(nsp, "/");
	note(member->uids, &message->parts[UID], nsp);
	if (!is_answer(message))
		pass_to_others(member, message->whole);
	else if (asker->kind == JSON_SCAN_STRING)
		pass_to_one(member, asker, false, message);
}

/*
 * Pass a message about a session that another worker has. A search for that worker goes to all
 * members. The messages after it go to that worker alone.
 */
static void pass_of_engine(struct relay_member *member, const struct message *message)
{
	const struct json_part *recipient = &message->parts[RECIPIENT];

	note(member->engines, &message->parts[SENDER], "");
	if (recipient->kind == JSON_SCAN_STRING)
		pass_to_one(member, recipient, true, message);
	else
		pass_to_others(member, message->whole);
}

bool relay_pass(struct relay_member *member, const struct node_message *message)
{
	_Static_assert(MEMBER_COUNT <= NODE_MESSAGE_PARTS_MAX, "room for all parts");
	struct node_message_texts texts;
	struct message read = {.whole = message};
	struct json_part whole;

	if (!node_message_scan(message, member_names, MEMBER_COUNT, read.parts, &whole, &texts))
		return false;
	if (json_part_is(&read.parts[SOURCE], ADAPTER_SOURCE))
		pass_of_adapter(member, &read);
	else if (json_part_is(&read.parts[ENGINE], ENGINE_SOURCE))
		pass_of_engine(member, &read);
	else
		return false;
	return true;
}

bool relay_has_buffer(const struct node_message *message)
{
	static const char buffer[] = "{\"type\":\"Buffer\",\"data\":[";

	return message->format == NODE_FORMAT_JSON &&
	       memmem(message->bytes, message->length, buffer, strlen(buffer)) != NULL;
}

/*
 * Send the message that the adapter would have sent when closed. `uid` and `nsp` keep their
 * escapes.
 */
static void say_closed(const struct relay_member *member, const char *uid, const char *nsp)
{
	char text[2 * ID_SIZE + 128];
	int length = snprintf(text, sizeof(text),
			      "{\"source\":\"" ADAPTER_SOURCE "\",\"uid\":\"%s\",\"nsp\":\"%s\","
			      "\"type\":" ADAPTER_CLOSE "}",
			      uid, nsp);
	const struct node_message message = {NODE_FORMAT_JSON, text, (size_t)length};

	pass_to_others(member, &message);
}

void relay_end(struct relay_member *member)
{
	const char *uid;
	json_t *nsp;

	json_object_foreach(member->uids, uid, nsp)
	{
		say_closed(member, uid, json_string_value(nsp));
	}
	json_object_clear(member->uids);
	json_object_clear(member->engines);
}
