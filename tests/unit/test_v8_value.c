// SPDX-License-Identifier: MIT
/*
 * V8's serialized values: those that Node.js 20 wrote on its IPC channel are read, and values are
 * written that Node.js reads.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/node_message.h"
#include "node/v8_reader.h"
#include "node/v8_value.h"

#define SIZE_MAX_HERE 4096

/* ---- Values that Node.js 20 wrote, as hexadecimal digits ------------------------------- */

static const char query[] =
	"ff0f6f2203636d64220c4e4f44455f434c55535445522203616374220b71756572795365"
	"727665722205696e646578490022046461746130220761646472657373302204706f7274"
	"49f02e220b61646472657373547970654908220266645f22076261636b6c6f6749002203"
	"73657149027b0a";
static const char numbers[] =
	"ff0f410a4e00000000000000004e000000000000f0bf4e0000c0ffffffdf414e00000000"
	"0000e0c14e000000000000e0414e000000000000f83f4e00000000000000804e003d9160"
	"e458e1434e000000000000f87f4e000000000000704224000a";
static const char strings[] =
	"ff0f4107220022036162632201e46302ac2063043dd800de630478003dd8220461225c0a"
	"240007";
static const char words[] = "ff0f610549005449024649043049065f400405";
static const char buffer[] = "ff0f6f2204706172745c000a036162637b01";
static const char typed[] = "ff0f5c000808000000000000f03f";
static const char other[] =
	"ff0f6f2206736f75726365220c5f73696f5f6164617074657222036d61703b49026f2201"
	"6149047b0122016b410149062400013a042203736574274902220374776f2c0222046461"
	"746544000000000000144022036269675a10d20a1feb8ca954ab22027265522207785c75"
	"3230616301220365727272546d22026e6f636f22016149027b01732204617420782e2206"
	"7370617273656108490a4902490e4904400208220361727241024902490422046e616d65"
	"22016e2401022204626f6f6c7922036e756d6e0000000000000840220373747273220173"
	"22046269676f7a10050000000000000022026162420300000022037261627e0204000022"
	"05616761696e41026f22017849027b015e1224000222047479706549067b11";
static const char ready[] = "ff0f22057265616479";

static size_t decode(const char *digits, uint8_t bytes[SIZE_MAX_HERE])
{
	size_t length = strlen(digits) / 2, i;

	assert_true(length <= SIZE_MAX_HERE);
	for (i = 0; i < length; i++)
		assert_int_equal(sscanf(digits + 2 * i, "%2hhx", &bytes[i]), 1);
	return length;
}

static int convert(const char *digits, json_t **ret_value)
{
	uint8_t bytes[SIZE_MAX_HERE];
	size_t length = decode(digits, bytes);

	return v8_to_json(bytes, length, ret_value);
}

static void check_json(const char *digits, const char *wanted)
{
	json_t *value = NULL;
	char *text;

	assert_int_equal(convert(digits, &value), 0);
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	assert_string_equal(text, wanted);
	free(text);
	json_decref(value);
}

static void values_of_node_become_json(void **state)
{
	json_t *value;

	(void)state;
	check_json(query, "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"index\":0,"
			  "\"data\":null,\"address\":null,\"port\":3000,\"addressType\":4,"
			  "\"backlog\":0,\"seq\":1}");
	check_json(numbers, "[0,-1,2147483647,-2147483648,2147483648,1.5,0,1e19,null,"
			    "1099511627776]");
	check_json(strings, "[\"\",\"abc\",\"\xc3\xa4\",\"\xe2\x82\xac\",\"\xf0\x9f\x98\x80\","
			    "\"x\xef\xbf\xbd\",\"a\\\"\\\\\\n\"]");
	check_json(buffer, "{\"part\":{\"type\":\"Buffer\",\"data\":[97,98,99]}}");
	check_json(ready, "\"ready\"");
	assert_int_equal(convert(typed, &value), -EBADMSG);
	assert_int_equal(convert(other, &value), -EBADMSG);
	assert_int_equal(convert(words, &value), -EBADMSG); /* an array with a hole */
}

/* Each incomplete beginning of a message is distinguished from bytes that are no message. */
static void a_beginning_is_no_message(void **state)
{
	static const char *const all[] = {query,  numbers, strings, words,
					  buffer, typed,   other,   ready};
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		uint8_t bytes[SIZE_MAX_HERE];
		size_t length = decode(all[i], bytes);

		for (j = 0; j < length; j++) {
			char *copy = malloc(j + 1); /* so that a read behind its end is seen */

			memcpy(copy, bytes, j);
			assert_int_equal(node_message_check_advanced(copy, j), -ENODATA);
			free(copy);
		}
		assert_int_equal(node_message_check_advanced((char *)bytes, length), 0);
		bytes[length] = '0';
		assert_int_equal(node_message_check_advanced((char *)bytes, length + 1), -EBADMSG);
	}
}

static void bad_bytes_are_refused(void **state)
{
	static const char *const bad[] = {
		"fe0f30",		/* another tag than that of the version */
		"ff0c30",		/* an old version */
		"ff0f70",		/* an unknown tag */
		"ff0f6f49027b01",	/* a name without a value */
		"ff0f6f22016149027b02", /* a wrong number of members */
		"ff0f6f5454307b01",	/* a name that is no string */
		"ff0f410130240002",	/* a wrong length */
		"ff0f4102240002",	/* elements are missing */
		"ff0f5e00",		/* a reference to nothing */
		"ff0f6303414141",	/* half a character */
		"ff0f22ffffffffffffffffffffff",
		"ff0f7251", /* an error of an unknown kind */
	};
	json_t *value;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(convert(bad[i], &value), -EBADMSG);
}

static char *nested(size_t depth, size_t *ret_length)
{
	char *bytes = malloc(2 + 5 * depth + 1);
	size_t i, length = 2;

	memcpy(bytes, "\xff\x0f", 2);
	for (i = 0; i < depth; i++, length += 2)
		memcpy(bytes + length, "A\x01", 2);
	bytes[length++] = '0';
	for (i = 0; i < depth; i++, length += 3)
		memcpy(bytes + length, "$\0\x01", 3);
	*ret_length = length;
	return bytes;
}

static void depth_and_size_are_bounded(void **state)
{
	static const struct {
		size_t depth;
		int checked, converted;
	} cases[] = {{V8_JSON_DEPTH_MAX, 0, 0},
		     {V8_JSON_DEPTH_MAX + 1, 0, -E2BIG},
		     {V8_DEPTH_MAX, 0, -E2BIG},
		     {V8_DEPTH_MAX + 1, -EBADMSG, -E2BIG}};
	char *bytes;
	size_t length, i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *value = NULL;

		bytes = nested(cases[i].depth, &length);
		assert_int_equal(node_message_check_advanced(bytes, length), cases[i].checked);
		assert_int_equal(v8_to_json(bytes, length, &value), cases[i].converted);
		json_decref(value);
		free(bytes);
	}
	length = V8_JSON_VALUES_MAX + 10;
	bytes = calloc(1, length);
	memcpy(bytes, "\xff\x0f'", 3);
	memset(bytes + 3, '0', length - 3);
	bytes[2] = 'o';
	assert_int_equal(node_message_check_advanced(bytes, length), -EBADMSG);
	free(bytes);
}

/* ---- Members that decide about a message ------------------------------------------------- */

static struct json_part parts[2], whole;
static struct node_message_texts texts;

static bool scan(const char *digits, const char *one, const char *two)
{
	const char *const names[] = {one, two};
	uint8_t bytes[SIZE_MAX_HERE];
	struct node_message message = {NODE_FORMAT_ADVANCED, (char *)bytes, decode(digits, bytes)};

	return node_message_scan(&message, names, 2, parts, &whole, &texts);
}

static void check_text(const struct json_part *part, enum json_scan_kind kind, const char *text)
{
	assert_int_equal(part->kind, kind);
	assert_int_equal(part->length, strlen(text));
	assert_memory_equal(part->text, text, part->length);
}

static void members_are_found(void **state)
{
	(void)state;
	assert_true(scan(other, "source", "type"));
	check_text(&parts[0], JSON_SCAN_STRING, "_sio_adapter");
	check_text(&parts[1], JSON_SCAN_NUMBER, "3");
	assert_int_equal(whole.kind, JSON_SCAN_OBJECT);
	assert_true(scan(query, "fd", "data"));
	assert_int_equal(parts[0].kind, JSON_SCAN_ABSENT);
	assert_int_equal(parts[1].kind, JSON_SCAN_WORD);
	/* Names within a member's value are not names of the message. */
	assert_true(scan(other, "a", "x"));
	assert_int_equal(parts[0].kind, JSON_SCAN_ABSENT);
	assert_int_equal(parts[1].kind, JSON_SCAN_ABSENT);
	assert_true(scan(ready, "a", "b"));
	check_text(&whole, JSON_SCAN_STRING, "ready");
	assert_true(scan(buffer, "part", "b"));
	assert_int_equal(parts[0].kind, JSON_SCAN_OBJECT);
	assert_true(scan(strings, "a", "b"));
	assert_int_equal(whole.kind, JSON_SCAN_ARRAY);
	assert_false(scan("ff0f6f", "a", "b"));
}

/* Strings are written as JSON.stringify() writes them, whatever their bytes are. */
static void texts_are_those_of_json(void **state)
{
	char digits[2000] = "ff0f6f630261002201415322";
	size_t i;

	(void)state;
	/* {a: "€\"\n<half a pair>"}: name and text in UTF-16 */
	assert_true(scan("ff0f6f630261006308ac2022000a003dd87b01", "a", "b"));
	check_text(&parts[0], JSON_SCAN_STRING, "\xe2\x82\xac\\\"\\n\\ud83d");
	assert_true(scan("ff0f6f5301615304c3a4c3a47b01", "a", "b"));
	check_text(&parts[0], JSON_SCAN_STRING, "\xc3\xa4\xc3\xa4");
	assert_false(scan("ff0f6f5301615302c3287b01", "a", "b"));
	/* A text that is longer than all names and ids is equal to none of them. */
	strcpy(digits, "ff0f6f22016122ac02");
	for (i = 0; i < 300; i++)
		strcat(digits, "61");
	strcat(digits, "7b01");
	assert_true(scan(digits, "a", "b"));
	assert_int_equal(parts[0].length, NODE_MESSAGE_TEXT_MAX);
}

/* ---- Values that Node.js reads ----------------------------------------------------------- */

static const char handle[] =
	"{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{\"cmd\":\"NODE_CLUSTER\","
	"\"errno\":-98,\"key\":\"sticky:0\",\"ack\":1,\"data\":null,\"seq\":1099511627776}}";

static const char *const sent[] = {
	handle,
	"[0,-1,63,64,-64,-65,2147483647,-2147483648,2147483648,1.5,true,false,null,[],{}]",
	"[\"\",\"abc\",\"\xc3\xa4\",\"\xe2\x82\xac\",\"\xf0\x9f\x98\x80\"]",
	"{\"\xc3\xa4\":\"\xe2\x82\xac\",\"0\":{\"a\":[{\"b\":[1,2,3]}]}}",
};

static void check_same(const char *bytes, size_t length, const char *text)
{
	json_t *value = NULL;
	char *again;

	assert_int_equal(v8_to_json(bytes, length, &value), 0);
	again = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	assert_string_equal(again, text);
	free(again);
	json_decref(value);
}

static void our_bytes_are_read(void **state)
{
	size_t i, length;
	char *bytes;

	(void)state;
	for (i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		json_t *value = json_loads(sent[i], JSON_DECODE_ANY, NULL);

		assert_int_equal(v8_from_json(value, 4, &bytes, &length), 0);
		assert_memory_equal(bytes, "\0\0\0", 4);
		check_same(bytes + 4, length - 4, sent[i]);
		free(bytes);
		json_decref(value);
	}
}

static void too_deep_a_value_is_not_written(void **state)
{
	json_t *value = json_null();
	char *bytes;
	size_t i, length;

	(void)state;
	for (i = 0; i < V8_JSON_DEPTH_MAX; i++)
		value = json_pack("[o]", value);
	assert_int_equal(v8_from_json(value, 0, &bytes, &length), 0);
	free(bytes);
	value = json_pack("[o]", value);
	assert_int_equal(v8_from_json(value, 0, &bytes, &length), -E2BIG);
	json_decref(value);
}

static void run_node(const char *text)
{
	char command[4096], *bytes;
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	size_t length, i, used;
	FILE *node;

	assert_int_equal(v8_from_json(value, 0, &bytes, &length), 0);
	json_decref(value);
	used = (size_t)snprintf(command, sizeof(command),
				"node -e \"const v8 = require('v8'), assert = require('assert');"
				"assert.deepStrictEqual(v8.deserialize(Buffer.from('");
	for (i = 0; i < length; i++)
		used += (size_t)snprintf(command + used, sizeof(command) - used, "%02x",
					 (uint8_t)bytes[i]);
	snprintf(command + used, sizeof(command) - used,
		 "', 'hex')),"
		 "JSON.parse(require('fs').readFileSync(0)))\"");
	free(bytes);
	node = popen(command, "w"); // NOLINT(bugprone-command-processor)
	assert_non_null(node);
	assert_int_equal(fputs(text, node) < 0, 0);
	assert_int_equal(pclose(node), 0);
}

static void node_reads_our_bytes(void **state)
{
	size_t i;

	(void)state;
	if (system("node --version >/dev/null 2>&1")) // NOLINT(bugprone-command-processor)
		skip();
	for (i = 0; i < sizeof(sent) / sizeof(sent[0]); i++)
		run_node(sent[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_node_become_json),
		cmocka_unit_test(a_beginning_is_no_message),
		cmocka_unit_test(bad_bytes_are_refused),
		cmocka_unit_test(depth_and_size_are_bounded),
		cmocka_unit_test(members_are_found),
		cmocka_unit_test(texts_are_those_of_json),
		cmocka_unit_test(our_bytes_are_read),
		cmocka_unit_test(too_deep_a_value_is_not_written),
		cmocka_unit_test(node_reads_our_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
