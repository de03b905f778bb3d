// SPDX-License-Identifier: MIT
/* Messages between workers, passed on as the primary of @socket.io/cluster-adapter does. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "node/relay.h"

#define MEMBERS 3

struct ear {
	struct relay_member *member;
	unsigned int heard;
	json_int_t last; /* the number in the last message */
	char text[256];	 /* the beginning of the last message */
};

struct scene {
	struct relay *relay;
	struct ear ears[MEMBERS];
};

static void hear(void *context, const struct node_message *message)
{
	struct ear *ear = context;
	json_t *value = node_message_load(message);

	ear->heard++;
	ear->last = json_integer_value(json_object_get(value, "number"));
	snprintf(ear->text, sizeof(ear->text), "%.*s", (int)message->length, message->bytes);
	json_decref(value);
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	size_t i;

	if (!scene || relay_open(&scene->relay))
		return -1;
	for (i = 0; i < MEMBERS; i++)
		if (relay_join(scene->relay, hear, &scene->ears[i], &scene->ears[i].member))
			return -1;
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;
	size_t i;

	for (i = 0; i < MEMBERS; i++)
		relay_leave(scene->ears[i].member);
	relay_close(scene->relay);
	free(scene);
	return 0;
}

static bool say(struct scene *scene, size_t who, const char *text)
{
	const struct node_message message = {NODE_FORMAT_JSON, text, strlen(text)};

	return relay_pass(scene->ears[who].member, &message);
}

/* Check how many messages each member has got since the last check. */
static void check_heard(struct scene *scene, unsigned int a, unsigned int b, unsigned int c)
{
	assert_int_equal(scene->ears[0].heard, a);
	assert_int_equal(scene->ears[1].heard, b);
	assert_int_equal(scene->ears[2].heard, c);
	scene->ears[0].heard = scene->ears[1].heard = scene->ears[2].heard = 0;
}

static void broadcasts_go_to_all_others(void **state)
{
	struct scene *scene = *state;

	assert_true(say(scene, 1,
			"{\"source\":\"_sio_adapter\",\"uid\":\"b\",\"type\":3,"
			"\"number\":17}"));
	check_heard(scene, 1, 0, 1);
	assert_int_equal(scene->ears[0].last, 17);
}

static void engines_are_passed_too(void **state)
{
	struct scene *scene = *state;

	assert_true(say(scene, 1, "{\"_source\":\"_eio\",\"senderId\":\"b\",\"type\":0}"));
	check_heard(scene, 1, 0, 1);
	assert_true(say(scene, 2,
			"{\"_source\":\"_eio\",\"senderId\":\"c\",\"recipientId\":\"b\","
			"\"type\":1,\"number\":5}"));
	check_heard(scene, 0, 1, 0);
	assert_int_equal(scene->ears[1].last, 5);
	/*
	 * The member that the message names has sent no message yet, or only to a previous
	 * controller.
	 */
	assert_true(
		say(scene, 2, "{\"_source\":\"_eio\",\"senderId\":\"c\",\"recipientId\":\"a\"}"));
	check_heard(scene, 1, 1, 0);
	/* The message belongs to another module, whose adapter has that name. */
	say(scene, 0, "{\"source\":\"_sio_adapter\",\"uid\":\"d\",\"type\":3}");
	check_heard(scene, 0, 1, 1);
	say(scene, 2, "{\"_source\":\"_eio\",\"senderId\":\"c\",\"recipientId\":\"d\"}");
	check_heard(scene, 1, 1, 0);
	/*
	 * The member is gone. The others get no message about that, and it is not mistaken for
	 * another member.
	 */
	relay_end(scene->ears[1].member);
	check_heard(scene, 0, 0, 0);
	say(scene, 2, "{\"_source\":\"_eio\",\"senderId\":\"c\",\"recipientId\":\"b\"}");
	check_heard(scene, 1, 1, 0);
	assert_false(say(scene, 0, "{\"_source\":\"_sio_adapter\",\"uid\":\"a\"}"));
	assert_false(say(scene, 0, "{\"source\":\"_eio\",\"senderId\":\"a\"}"));
	check_heard(scene, 0, 0, 0);
}

static void answers_go_to_who_asked(void **state)
{
	static const int types[] = {8, 10};
	struct scene *scene = *state;
	char text[200];
	size_t i;

	say(scene, 2, "{\"source\":\"_sio_adapter\",\"uid\":\"c\",\"type\":7}");
	check_heard(scene, 1, 1, 0);
	for (i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
			 "{\"source\":\"_sio_adapter\",\"uid\":\"a\",\"type\":%d,"
			 "\"requesterUid\":\"c\"}",
			 types[i]);
		assert_true(say(scene, 0, text));
		check_heard(scene, 0, 0, 1);
	}
}

static void answers_to_nobody_go_nowhere(void **state)
{
	struct scene *scene = *state;

	say(scene, 0, "{\"source\":\"_sio_adapter\",\"uid\":\"a\",\"type\":8}");
	say(scene, 0, "{\"source\":\"_sio_adapter\",\"uid\":\"a\",\"type\":8,\"requesterUid\":5}");
	check_heard(scene, 0, 0, 0);
}

static void others_messages_are_not_ours(void **state)
{
	static const char *const other[] = {
		"null",
		"1",
		"\"_sio_adapter\"",
		"[]",
		"{}",
		"{\"source\":null}",
		"{\"source\":\"_sio_adapter2\"}",
		"{\"source\":[\"_sio_adapter\"]}",
	};
	struct scene *scene = *state;
	size_t i;

	for (i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		assert_false(say(scene, 0, other[i]));
	check_heard(scene, 0, 0, 0);
}

static void one_that_left_hears_nothing(void **state)
{
	struct scene *scene = *state;

	say(scene, 1, "{\"source\":\"_sio_adapter\",\"uid\":\"b\",\"type\":3}");
	check_heard(scene, 1, 0, 1);
	relay_leave(scene->ears[1].member);
	scene->ears[1].member = NULL;
	say(scene, 0, "{\"source\":\"_sio_adapter\",\"uid\":\"a\",\"type\":3}");
	check_heard(scene, 0, 0, 1);
	say(scene, 0,
	    "{\"source\":\"_sio_adapter\",\"uid\":\"a\",\"type\":8,"
	    "\"requesterUid\":\"b\"}");
	check_heard(scene, 0, 0, 1); /* b may have sent its request to a previous controller */
}

static void a_death_is_told(void **state)
{
	struct scene *scene = *state;

	say(scene, 1, "{\"source\":\"_sio_adapter\",\"uid\":\"b\",\"nsp\":\"/x\",\"type\":3}");
	check_heard(scene, 1, 0, 1);
	relay_end(scene->ears[1].member);
	check_heard(scene, 1, 0, 1);
	relay_end(scene->ears[1].member);
	check_heard(scene, 0, 0, 0);
}

/* Names that are never used again don't accumulate without bound, and the first ones stay. */
static void many_names_are_no_harm(void **state)
{
	struct scene *scene = *state;
	char text[200];
	int i;

	for (i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text),
			 "{\"source\":\"_sio_adapter\",\"uid\":\"u%d\",\"type\":3}", i);
		say(scene, 1, text);
	}
	check_heard(scene, 10000, 0, 10000);
	say(scene, 0,
	    "{\"source\":\"_sio_adapter\",\"uid\":\"a\",\"type\":8,"
	    "\"requesterUid\":\"u0\"}");
	check_heard(scene, 0, 1, 0);
}

/* jansson accepts none of these texts, but Node.js accepts all of them. */
static void texts_are_passed_as_they_came(void **state)
{
	static const char *const texts[] = {
		"{\"source\":\"_sio_adapter\",\"uid\":\"a\",\"type\":3,\"data\":\"x\\ud83d\"}",
		"{\"source\":\"_sio_adapter\",\"type\":3,\"data\":10000000000000000000}",
		"{ \"_source\": \"_eio\", \"senderId\":\"\\ud83d\", \"data\":1.0 }",
	};
	struct scene *scene = *state;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_true(say(scene, 0, texts[i]));
		check_heard(scene, 0, 1, 1);
		assert_string_equal(scene->ears[1].text, texts[i]);
	}
	/* A worker would end if it got this text. */
	assert_false(say(scene, 0, "{\"source\":\"_sio_adapter\",\"type\":3,}"));
	check_heard(scene, 0, 0, 0);
}

/* Ids are compared and passed on as the member wrote them. */
static void ids_with_escapes(void **state)
{
	struct scene *scene = *state;

	say(scene, 1,
	    "{\"source\":\"_sio_adapter\",\"uid\":\"\\ud83d\\\"\",\"nsp\":\"/\\\\\",\"type\":3}");
	check_heard(scene, 1, 0, 1);
	say(scene, 0, "{\"source\":\"_sio_adapter\",\"type\":8,\"requesterUid\":\"\\ud83d\\\"\"}");
	check_heard(scene, 0, 1, 0);
	relay_end(scene->ears[1].member);
	check_heard(scene, 1, 0, 1);
	assert_string_equal(
		scene->ears[0].text,
		"{\"source\":\"_sio_adapter\",\"uid\":\"\\ud83d\\\"\",\"nsp\":\"/\\\\\","
		"\"type\":13}");
}

/*
 * A message in V8's format is recognised by the same members as one in JSON, and has the same ids.
 */
static void advanced_messages_are_passed(void **state)
{
	static const char broadcast[] = "\xff\x0fo\"\6source\"\x0c_sio_adapter\"\3uidc\2b\0"
					"\"\3nsp\"\2/\"\"\4typeI\6\"\1b\\\0\x0a\1x{\5";
	const struct node_message message = {NODE_FORMAT_ADVANCED, broadcast,
					     sizeof(broadcast) - 1};
	const struct node_message cut = {NODE_FORMAT_ADVANCED, broadcast, sizeof(broadcast) - 2};
	struct scene *scene = *state;

	assert_true(relay_pass(scene->ears[1].member, &message));
	check_heard(scene, 1, 0, 1);
	assert_memory_equal(scene->ears[0].text, broadcast, 2);
	assert_false(relay_pass(scene->ears[1].member, &cut));
	check_heard(scene, 0, 0, 0);
	assert_false(relay_has_buffer(&message));
	/* A worker that uses JSON answers the message. */
	say(scene, 0, "{\"source\":\"_sio_adapter\",\"type\":8,\"requesterUid\":\"b\"}");
	check_heard(scene, 0, 1, 0);
	relay_end(scene->ears[1].member);
	check_heard(scene, 1, 0, 1);
	assert_string_equal(scene->ears[0].text,
			    "{\"source\":\"_sio_adapter\",\"uid\":\"b\",\"nsp\":\"/\\\"\","
			    "\"type\":13}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(broadcasts_go_to_all_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(answers_go_to_who_asked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(engines_are_passed_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(answers_to_nobody_go_nowhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(others_messages_are_not_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_left_hears_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_death_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_names_are_no_harm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(texts_are_passed_as_they_came, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ids_with_escapes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(advanced_messages_are_passed, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
