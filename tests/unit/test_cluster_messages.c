// SPDX-License-Identifier: MIT
/* Node.js's cluster messages: those that workers send, and those that they expect. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "node/cluster_messages.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The caller frees the value. */
static json_t *load(const char *text)
{
	json_t *message = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	if (!message)
		fail_msg("no JSON: %s", text);
	return message;
}

static struct cluster_event read_text(const char *text)
{
	struct cluster_event event;
	json_t *message = load(text);

	memset(&event, 0xa5, sizeof(event));
	cluster_read(message, &event);
	event.data = NULL; /* it belonged to the message */
	json_decref(message);
	return event;
}

/* ---- What they say ------------------------------------------------------------------ */

static void each_kind_is_known(void **state)
{
	static const struct {
		const char *text;
		enum cluster_kind kind;
	} good[] = {
		{"{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\",\"seq\":0}", CLUSTER_ONLINE},
		{"{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"port\":1,\"seq\":1}",
		 CLUSTER_QUERY},
		{"{\"cmd\":\"NODE_CLUSTER\",\"act\":\"listening\",\"port\":1}", CLUSTER_LISTENING},
		{"{\"cmd\":\"NODE_CLUSTER\",\"act\":\"close\",\"key\":\"k\"}", CLUSTER_CLOSED},
		{"{\"cmd\":\"NODE_CLUSTER\",\"act\":\"exitedAfterDisconnect\",\"seq\":4}",
		 CLUSTER_LEAVING},
		{"{\"cmd\":\"NODE_CLUSTER\",\"ack\":7,\"accepted\":true}", CLUSTER_ANSWER},
		{"{\"cmd\":\"NODE_HANDLE_ACK\"}", CLUSTER_HANDLE_TAKEN},
		{"{\"cmd\":\"NODE_HANDLE_NACK\"}", CLUSTER_HANDLE_LOST},
		{"{\"cmd\":\"ready\"}", CLUSTER_SAYS_READY},
		{"\"ready\"", CLUSTER_SAYS_READY},
		{"{\"cmd\":\"disconnect\"}", CLUSTER_WANTS_OUT},
		{"{\"cmd\":\"NODE_STICKYCTL\",\"loaded\":true}", CLUSTER_HAS_PRELOAD},
		{"{\"cmd\":\"NODE_STICKYCTL\",\"signal\":null}", CLUSTER_STOP_ANSWER},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		if (read_text(good[i].text).kind != good[i].kind)
			fail_msg("%s: %d", good[i].text, (int)read_text(good[i].text).kind);
}

static void anything_else_is_the_applications(void **state)
{
	static const char *const other[] = {
		"null",
		"true",
		"0",
		"1e300",
		"\"\"",
		"\"ready \"",
		"\"Ready\"",
		"[]",
		"[\"ready\"]",
		"{}",
		"{\"cmd\":null}",
		"{\"cmd\":1}",
		"{\"cmd\":[\"ready\"]}",
		"{\"cmd\":{\"cmd\":\"ready\"}}",
		"{\"cmd\":\"READY\"}",
		"{\"cmd\":\"\"}",
		"{\"ready\":true}",
		"{\"cmd\":\"NODE_\"}",
		"{\"cmd\":\"NODE_CLUSTER\"}",
		"{\"cmd\":\"NODE_CLUSTER\",\"act\":1}",
		"{\"cmd\":\"NODE_CLUSTER\",\"act\":\"\"}",
		"{\"cmd\":\"NODE_CLUSTER\",\"act\":\"newconn\"}",
		"{\"cmd\":\"NODE_CLUSTER\",\"ack\":\"7\"}",
		"{\"cmd\":\"NODE_CLUSTER\",\"ack\":7.5}",
		"{\"act\":\"online\"}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(other); i++)
		if (read_text(other[i]).kind != CLUSTER_OTHER)
			fail_msg("%s: %d", other[i], (int)read_text(other[i]).kind);
}

static void queries_are_read(void **state)
{
	struct cluster_event event = read_text(
		"{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"index\":2,\"data\":null,"
		"\"address\":\"127.0.0.1\",\"port\":3000,\"addressType\":4,\"fd\":-1,\"flags\":1,"
		"\"seq\":9}");

	(void)state;
	assert_int_equal(event.seq, 9);
	assert_string_equal(event.query.address, "127.0.0.1");
	assert_int_equal(event.query.port, 3000);
	assert_int_equal(event.query.address_type, 4);
	assert_int_equal(event.query.fd, -1);
	assert_int_equal(event.query.index, 2);
	assert_int_equal(event.query.flags, 1);
	assert_int_equal(event.query.udp, 0);
	assert_false(event.query.is_too_long);

	event = read_text("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"address\":null,"
			  "\"port\":5000,\"addressType\":\"udp6\"}");
	assert_string_equal(event.query.address, "");
	assert_int_equal(event.query.udp, '6');

	event = read_text("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"port\":-1,"
			  "\"address\":\"/run/app.sock\",\"addressType\":-1}");
	assert_int_equal(event.query.port, -1);
	assert_int_equal(event.query.address_type, -1);
}

static void nothing_is_made_of_junk_in_a_query(void **state)
{
	static const char *const junk[] = {
		"null", "true",	  "\"3000\"",	   "[3000]",
		"{}",	"3000.5", "4294967296000", "-4294967296000",
	};
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(junk); i++) {
		struct cluster_event event;

		snprintf(text, sizeof(text),
			 "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"port\":%s,\"fd\":%s,"
			 "\"index\":%s,\"flags\":%s,\"addressType\":%s,\"address\":%s,\"seq\":%s}",
			 junk[i], junk[i], junk[i], junk[i], junk[i],
			 *junk[i] == '"' ? "[]" : junk[i], junk[i]);
		event = read_text(text);
		assert_int_equal(event.kind, CLUSTER_QUERY);
		assert_int_equal(event.query.port, -1);
		assert_int_equal(event.query.fd, -1);
		assert_int_equal(event.query.index, 0);
		assert_int_equal(event.query.flags, 0);
		assert_int_equal(event.query.address_type, -1);
		assert_string_equal(event.query.address, "");
	}
}

/* A path that is cut off would be another path. */
static void long_paths_are_known_as_such(void **state)
{
	char path[CLUSTER_ADDRESS_SIZE + 1], text[512];
	size_t length;

	(void)state;
	for (length = CLUSTER_ADDRESS_SIZE - 1; length <= CLUSTER_ADDRESS_SIZE; length++) {
		struct cluster_event event;

		memset(path, 'x', length);
		path[length] = '\0';
		snprintf(text, sizeof(text),
			 "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"address\":\"%s\"}",
			 path);
		event = read_text(text);
		assert_int_equal(event.query.is_too_long, length == CLUSTER_ADDRESS_SIZE);
		assert_int_equal(strlen(event.query.address), CLUSTER_ADDRESS_SIZE - 1);
	}
}

static void answers_are_read(void **state)
{
	struct cluster_event event =
		read_text("{\"cmd\":\"NODE_CLUSTER\",\"ack\":12,\"accepted\":true,\"seq\":3}");

	(void)state;
	assert_int_equal(event.ack, 12);
	assert_true(event.accepted);
	assert_false(
		read_text("{\"cmd\":\"NODE_CLUSTER\",\"ack\":12,\"accepted\":false}").accepted);
	assert_false(read_text("{\"cmd\":\"NODE_CLUSTER\",\"ack\":12,\"accepted\":1}").accepted);
	assert_false(read_text("{\"cmd\":\"NODE_CLUSTER\",\"ack\":12}").accepted);
}

static void keys_are_cut_at_their_size(void **state)
{
	struct cluster_event event;
	char key[1000], text[1200];

	(void)state;
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	snprintf(text, sizeof(text), "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"close\",\"key\":\"%s\"}",
		 key);
	event = read_text(text);
	assert_int_equal(strlen(event.key), sizeof(event.key) - 1);
	assert_string_equal(read_text("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"close\",\"key\":1}").key,
			    "");
}

static void data_is_handed_on(void **state)
{
	json_t *message = load("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"data\":"
			       "{\"ticketKeys\":\"00ff\"}}");
	struct cluster_event event;
	json_t *reply;

	(void)state;
	cluster_read(message, &event);
	reply = cluster_reply(5, "k", 0, event.data, 6);
	json_decref(message);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(reply, "data"), "ticketKeys")),
		"00ff");
	json_decref(reply);
}

/* Two keys that differ in any part stand for two sockets. */
static void keys_differ_with_each_part(void **state)
{
	static const struct cluster_query queries[] = {
		{.address = "", .port = 80, .address_type = 4, .fd = -1},
		{.address = "::", .port = 80, .address_type = 4, .fd = -1},
		{.address = "", .port = 81, .address_type = 4, .fd = -1},
		{.address = "", .port = 80, .address_type = 6, .fd = -1},
		{.address = "", .port = 80, .address_type = 4, .fd = 3},
		{.address = "", .port = 0, .address_type = 4, .fd = -1},
		{.address = "", .port = 0, .address_type = 4, .fd = -1, .index = 1},
		{.address = "", .port = 80, .address_type = -1, .fd = -1, .udp = '4'},
		{.address = "", .port = 80, .address_type = -1, .fd = -1, .udp = '4', .index = 1},
		{.address = "", .port = 80, .address_type = -1, .fd = -1, .udp = '6'},
		{.address = "/a", .port = -1, .address_type = -1, .fd = -1},
	};
	char one[192], other[192];
	size_t i, k;

	(void)state;
	for (i = 0; i < COUNT(queries); i++)
		for (k = 0; k < COUNT(queries); k++) {
			cluster_key(&queries[i], sizeof(one), one);
			cluster_key(&queries[k], sizeof(other), other);
			assert_int_equal(strcmp(one, other) == 0, i == k);
		}
}

/* A port that was closed, or could not be bound, may be requested again: the key is the same. */
static void the_key_of_a_port_has_no_index(void **state)
{
	const struct cluster_query first = {.port = 80, .address_type = 4, .fd = -1};
	const struct cluster_query again = {.port = 80, .address_type = 4, .fd = -1, .index = 7};
	char one[192], other[192];

	(void)state;
	cluster_key(&first, sizeof(one), one);
	cluster_key(&again, sizeof(other), other);
	assert_string_equal(one, other);
}

/* ---- What we say ------------------------------------------------------------------------ */

static void check_text(json_t *message, const char *wanted)
{
	char *text = json_dumps(message, JSON_COMPACT);

	assert_non_null(text);
	assert_string_equal(text, wanted);
	free(text);
	json_decref(message);
}

static void messages_are_as_node_writes_them(void **state)
{
	(void)state;
	check_text(cluster_reply(3, "K", -98, NULL, 4),
		   "{\"cmd\":\"NODE_CLUSTER\",\"errno\":-98,\"key\":\"K\",\"ack\":3,\"data\":null,"
		   "\"seq\":4}");
	check_text(cluster_wrap(cluster_reply(1, "K", 0, NULL, 0), false),
		   "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{\"cmd\":"
		   "\"NODE_CLUSTER\",\"errno\":0,\"key\":\"K\",\"ack\":1,\"data\":null,"
		   "\"seq\":0}}");
	check_text(cluster_wrap(cluster_connection("K", 7), true),
		   "{\"cmd\":\"NODE_HANDLE\",\"type\":\"dgram.Native\",\"msg\":{\"cmd\":"
		   "\"NODE_CLUSTER\",\"act\":\"newconn\",\"key\":\"K\",\"seq\":7}}");
	check_text(cluster_socket(json_string("p:connection")),
		   "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":\"p:connection\"}");
	check_text(cluster_disconnect(9),
		   "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"disconnect\",\"seq\":9}");
	check_text(cluster_acknowledge(2, 8), "{\"cmd\":\"NODE_CLUSTER\",\"ack\":2,\"seq\":8}");
	assert_null(cluster_wrap(NULL, false));
	assert_null(cluster_socket(NULL));
}

static void check_handlers(const char *text, bool signal, bool disconnect)
{
	struct cluster_event event = read_text(text);

	assert_int_equal(event.kind, CLUSTER_STOP_ANSWER);
	assert_int_equal(event.handles_signal, signal);
	assert_int_equal(event.handles_disconnect, disconnect);
}

static void the_applications_handlers_are_read(void **state)
{
	(void)state;
	check_handlers("{\"cmd\":\"NODE_STICKYCTL\",\"signal\":\"SIGTERM\",\"disconnect\":false}",
		       true, false);
	check_handlers("{\"cmd\":\"NODE_STICKYCTL\",\"signal\":null,\"disconnect\":true}", false,
		       true);
	check_handlers("{\"cmd\":\"NODE_STICKYCTL\",\"signal\":1,\"disconnect\":{}}", false, false);
	check_handlers("{\"cmd\":\"NODE_STICKYCTL\",\"loaded\":1}", false, false);
}

static void workers_are_told_how_they_stop(void **state)
{
	const struct cluster_stop both = {
		.signals = {SIGTERM, SIGINT}, .after_ms = 5000, .when_idle = true, .kept_ms = 900};
	const struct cluster_stop one = {.signals = {SIGQUIT}, .after_ms = UINT32_MAX};
	const struct cluster_stop told = {.signals = {SIGTERM}, .message = "shutdown"};

	(void)state;
	check_text(cluster_tell_stop(&both),
		   "{\"cmd\":\"NODE_STICKYCTL\",\"signals\":[\"SIGTERM\",\"SIGINT\"],"
		   "\"after\":5000,\"idle\":true,\"kept\":900}");
	check_text(cluster_tell_stop(&one),
		   "{\"cmd\":\"NODE_STICKYCTL\",\"signals\":[\"SIGQUIT\"],\"after\":2147483647,"
		   "\"idle\":false,\"kept\":0}");
	check_text(cluster_tell_stop(&told),
		   "{\"cmd\":\"NODE_STICKYCTL\",\"signals\":[\"SIGTERM\"],\"after\":0,"
		   "\"idle\":false,\"kept\":0,\"message\":\"shutdown\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_known),
		cmocka_unit_test(anything_else_is_the_applications),
		cmocka_unit_test(queries_are_read),
		cmocka_unit_test(nothing_is_made_of_junk_in_a_query),
		cmocka_unit_test(long_paths_are_known_as_such),
		cmocka_unit_test(answers_are_read),
		cmocka_unit_test(keys_are_cut_at_their_size),
		cmocka_unit_test(data_is_handed_on),
		cmocka_unit_test(keys_differ_with_each_part),
		cmocka_unit_test(the_key_of_a_port_has_no_index),
		cmocka_unit_test(messages_are_as_node_writes_them),
		cmocka_unit_test(the_applications_handlers_are_read),
		cmocka_unit_test(workers_are_told_how_they_stop),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
