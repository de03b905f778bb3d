// SPDX-License-Identifier: MIT
#include "node/node_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* a buffer of more bytes is freed when it is empty */
#define ROOM_KEPT (1u << 20)

/* A message in V8's format begins with its length, the tag of the version, and the version. */
#define BEGINNING   (NODE_MESSAGE_HEADER + 2)
#define VERSION_TAG 0xff
#define VERSION_MIN 13
#define VERSION_MAX 63
/* at most so many bytes of an incomplete message are checked, to tell it from other bytes */
#define LOOK_MAX 4096

void node_input_init(struct node_input *input, enum node_format format, bool is_adopted)
{
	*input = (struct node_input){
		.format = format,
		.is_lost = is_adopted && format == NODE_FORMAT_ADVANCED,
	};
}

void node_input_fini(struct node_input *input)
{
	free(input->bytes);
	input->bytes = NULL;
}

char *node_input_room(struct node_input *input, size_t size)
{
	size_t room = input->room ? 2 * input->room : 2 * size;
	char *bytes;

	if (input->room - input->length >= size)
		return input->bytes + input->length;
	bytes = realloc(input->bytes, room);
	if (!bytes)
		return NULL;
	input->bytes = bytes;
	input->room = room;
	return bytes + input->length;
}

void node_input_add(struct node_input *input, size_t length)
{
	input->length += length;
}

void node_input_settle(struct node_input *input)
{
	if (!input->bytes)
		return;
	memmove(input->bytes, input->bytes + input->begin, input->length - input->begin);
	input->length -= input->begin;
	input->begin = 0;
	if (!input->length && input->room > ROOM_KEPT) {
		node_input_fini(input);
		input->room = 0;
	}
}

static void take_out(struct node_input *input, size_t length, struct node_message *ret_message)
{
	*ret_message = (struct node_message){input->format, input->bytes + input->begin, length};
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* Keep the rest, which has no end of a line. */
static enum node_input_result keep_line(struct node_input *input)
{
	enum node_input_result result = NODE_INPUT_NEEDS_MORE;

	if (!input->is_skipping && input->length - input->begin > NODE_MESSAGE_MAX) {
		input->is_skipping = true;
		result = NODE_INPUT_TOO_LONG;
	}
	if (input->is_skipping)
		input->begin = input->length;
	input->searched = input->length - input->begin;
	return result;
}

static enum node_input_result next_line(struct node_input *input, struct node_message *ret_message)
{
	while (input->begin < input->length) {
		size_t from = input->begin + input->searched, length;
		const char *end = memchr(input->bytes + from, '\n', input->length - from);
		bool is_skipped = input->is_skipping;

		if (!end)
			return keep_line(input);
		length = (size_t)(end - input->bytes) - input->begin;
		take_out(input, length, ret_message);
		input->begin += length + 1;
		input->searched = 0;
		input->is_skipping = false;
		if (!is_skipped)
			return length > NODE_MESSAGE_MAX ? NODE_INPUT_TOO_LONG : NODE_INPUT_MESSAGE;
	}
	return NODE_INPUT_NEEDS_MORE;
}

/* ---- Frames ---------------------------------------------------------------------------------- */

static uint32_t length_at(const struct node_input *input, size_t at)
{
	const uint8_t *bytes = (const uint8_t *)input->bytes + at;

	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* Does a message begin here? Returns 0, -ENODATA (one may begin here) or -EBADMSG. */
static int check_frame(const struct node_input *input, size_t at)
{
	const uint8_t *bytes = (const uint8_t *)input->bytes + at;
	uint32_t length = length_at(input, at);
	size_t left = input->length - at - NODE_MESSAGE_HEADER;
	int result;

	if (length > NODE_MESSAGE_MAX || bytes[NODE_MESSAGE_HEADER] != VERSION_TAG ||
	    bytes[BEGINNING - 1] < VERSION_MIN || bytes[BEGINNING - 1] > VERSION_MAX)
		return -EBADMSG;
	if (left >= length) {
		result = node_message_check_advanced(input->bytes + at + NODE_MESSAGE_HEADER,
						     length);
		return result ? -EBADMSG : 0;
	}
	result = node_message_check_advanced(input->bytes + at + NODE_MESSAGE_HEADER,
					     left < LOOK_MAX ? left : LOOK_MAX);
	return result ? result : -EBADMSG;
}

/*
 * Find the first message, as the input may begin within one: frames, unlike lines, have no mark at
 * their end. The first bytes that are a whole message of V8 are taken for the next message.
 */
static void find_frame(struct node_input *input)
{
	int result = -EBADMSG;

	while (input->length - input->begin >= BEGINNING) {
		result = check_frame(input, input->begin);
		if (result != -EBADMSG)
			break;
		input->begin++;
	}
	input->is_lost = result != 0;
}

static void skip_frame(struct node_input *input)
{
	size_t left = input->length - input->begin;
	uint32_t skipped = left < input->to_skip ? (uint32_t)left : input->to_skip;

	input->begin += skipped;
	input->to_skip -= skipped;
}

static enum node_input_result next_frame(struct node_input *input, struct node_message *ret_message)
{
	uint32_t length;

	if (input->is_lost)
		find_frame(input);
	skip_frame(input);
	if (input->is_lost || input->length - input->begin < NODE_MESSAGE_HEADER)
		return NODE_INPUT_NEEDS_MORE;
	length = length_at(input, input->begin);
	if (length > NODE_MESSAGE_MAX) {
		input->begin += NODE_MESSAGE_HEADER;
		input->to_skip = length;
		return NODE_INPUT_TOO_LONG;
	}
	if (input->length - input->begin - NODE_MESSAGE_HEADER < length)
		return NODE_INPUT_NEEDS_MORE;
	input->begin += NODE_MESSAGE_HEADER;
	take_out(input, length, ret_message);
	input->begin += length;
	return NODE_INPUT_MESSAGE;
}

enum node_input_result node_input_next(struct node_input *input, struct node_message *ret_message)
{
	return input->format == NODE_FORMAT_JSON ? next_line(input, ret_message)
						 : next_frame(input, ret_message);
}
