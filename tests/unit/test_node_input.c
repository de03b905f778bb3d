// SPDX-License-Identifier: MIT
/* Messages with their length in front: in pieces, too long, and without their beginning. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "node/node_input.h"

#define MEGABYTE (1u << 20)
#define SMALL	 9 /* bytes of a small message, with its length in front */

static const char one[] = "\0\0\0\5\xff\x0f\"\1a"
			  "\0\0\0\5\xff\x0f\"\1b";

struct scene {
	struct node_input input;
	unsigned int messages, too_long;
	char letters[16]; /* the last byte of each message */
	size_t last_length;
};

static void take_all(struct scene *scene)
{
	enum node_input_result result;
	struct node_message message;

	while ((result = node_input_next(&scene->input, &message)) != NODE_INPUT_NEEDS_MORE) {
		if (result == NODE_INPUT_TOO_LONG) {
			scene->too_long++;
			continue;
		}
		assert_int_equal(message.format, NODE_FORMAT_ADVANCED);
		assert_true(scene->messages < sizeof(scene->letters) - 1);
		scene->letters[scene->messages++] =
			message.length ? message.bytes[message.length - 1] : '-';
		scene->last_length = message.length;
	}
	node_input_settle(&scene->input);
}

static void feed(struct scene *scene, const char *bytes, size_t length, size_t piece)
{
	while (length) {
		size_t part = length < piece ? length : piece;
		char *room = node_input_room(&scene->input, part);

		assert_non_null(room);
		memcpy(room, bytes, part);
		node_input_add(&scene->input, part);
		take_all(scene);
		bytes += part;
		length -= part;
	}
}

static void begin(struct scene *scene, bool is_adopted)
{
	memset(scene, 0, sizeof(*scene));
	node_input_init(&scene->input, NODE_FORMAT_ADVANCED, is_adopted);
}

static void messages_come_in_pieces(void **state)
{
	struct scene scene;
	size_t piece;

	(void)state;
	for (piece = 1; piece < sizeof(one); piece++) {
		begin(&scene, false);
		feed(&scene, one, sizeof(one) - 1, piece);
		assert_string_equal(scene.letters, "ab");
		node_input_fini(&scene.input);
	}
	begin(&scene, false);
	feed(&scene, "\0\0\0\0", 4, 4);
	assert_string_equal(scene.letters, "-");
	node_input_fini(&scene.input);
}

/* Write a message of this length, with its header, that is a Buffer. Returns the length. */
static size_t write_large(char *bytes, size_t length, char filler)
{
	size_t size = length - NODE_MESSAGE_HEADER, i;
	char head[] = "\xff\x0f\\\0\x0a";

	for (i = 0; i < NODE_MESSAGE_HEADER; i++)
		bytes[i] = (char)(size >> (24 - 8 * i));
	memset(bytes + NODE_MESSAGE_HEADER, filler, size);
	memcpy(bytes + NODE_MESSAGE_HEADER, head, sizeof(head) - 1);
	size -= sizeof(head) - 1 + 4;
	for (i = 0; i < 4; i++)
		bytes[NODE_MESSAGE_HEADER + sizeof(head) - 1 + i] =
			(char)((size >> (7 * i) & 0x7f) | (i < 3 ? 0x80 : 0));
	return length;
}

static void too_long_a_message_is_skipped(void **state)
{
	static const size_t lengths[] = {NODE_MESSAGE_MAX, NODE_MESSAGE_MAX + 1, 40 * MEGABYTE};
	char *bytes = malloc(40 * MEGABYTE + NODE_MESSAGE_HEADER);
	struct scene scene;
	size_t i, length;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		begin(&scene, false);
		length = write_large(bytes, lengths[i] + NODE_MESSAGE_HEADER, 'x');
		feed(&scene, bytes, length, 65536);
		assert_int_equal(scene.too_long, i > 0);
		assert_true(scene.input.room <= 2 * (NODE_MESSAGE_MAX + 2 * 65536));
		feed(&scene, one, sizeof(one) - 1, 100);
		assert_string_equal(scene.letters, i ? "ab" : "xab");
		node_input_fini(&scene.input);
	}
	free(bytes);
}

/* A previous controller has read any number of bytes of the first message. */
static void a_missing_beginning_is_left_out(void **state)
{
	struct scene scene;
	size_t missing, piece;

	(void)state;
	for (missing = 0; missing <= SMALL; missing++) {
		for (piece = 1; piece < sizeof(one); piece++) {
			begin(&scene, true);
			feed(&scene, one + missing, sizeof(one) - 1 - missing, piece);
			assert_string_equal(scene.letters, missing ? "b" : "ab");
			assert_false(scene.input.is_lost);
			node_input_fini(&scene.input);
		}
	}
}

/* The Buffer contains bytes that look like a message of 5 bytes, but are no value. */
static void binary_data_is_no_beginning(void **state)
{
	static const char alike[] = "\0\0\0\5\xff\x0f\x01\x01\x01";
	char *bytes = malloc(MEGABYTE);
	struct scene scene;
	size_t length, i;

	(void)state;
	length = write_large(bytes, MEGABYTE, (char)0xff);
	for (i = 100; i + sizeof(alike) < length; i += 500)
		memcpy(bytes + i, alike, sizeof(alike) - 1);
	begin(&scene, true);
	feed(&scene, bytes + 50, length - 50, 65536);
	feed(&scene, one, sizeof(one) - 1, 100);
	assert_string_equal(scene.letters, "ab");
	node_input_fini(&scene.input);
	free(bytes);
}

/* A large message that arrives as a whole is taken, though it is not complete at the first read. */
static void a_large_first_message_is_taken(void **state)
{
	char *bytes = malloc(5 * MEGABYTE);
	struct scene scene;

	(void)state;
	begin(&scene, true);
	feed(&scene, bytes, write_large(bytes, 5 * MEGABYTE, 'x'), 65536);
	feed(&scene, one, sizeof(one) - 1, 100);
	assert_string_equal(scene.letters, "xab");
	node_input_fini(&scene.input);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_in_pieces),
		cmocka_unit_test(too_long_a_message_is_skipped),
		cmocka_unit_test(a_missing_beginning_is_left_out),
		cmocka_unit_test(binary_data_is_no_beginning),
		cmocka_unit_test(a_large_first_message_is_taken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
