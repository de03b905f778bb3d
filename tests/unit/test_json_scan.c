// SPDX-License-Identifier: MIT
/* Which texts are JSON, and where their members are. Some of the texts are refused by jansson. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "node/json_scan.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const names[] = {"a", "b"};

static bool scan(const char *text, struct json_part parts[2], enum json_scan_kind *kind)
{
	return json_scan(text, strlen(text), names, 2, parts, kind);
}

static bool is_json(const char *text)
{
	struct json_part parts[2];

	return scan(text, parts, NULL);
}

static void values_are_json(void **state)
{
	static const char *const good[] = {
		"null",
		" true ",
		"false",
		"0",
		"-0",
		"-1.5e+10",
		"1E9",
		"0.25",
		"\"\"",
		"\"\\u00e4\\n\\/\"",
		"[]",
		"[ ]",
		"{}",
		"{ }",
		"[1,[2,{}],\"]\"]",
		"{\"a\":[{\"b\":{}}]}",
		" { \"a\" : 1 , \"b\" : [ ] } ",
		"\"\xc3\xa4\"",
		/* jansson refuses these values. */
		"\"x\\ud83d\"",
		"\"\\ude00\"",
		"10000000000000000000",
		"{\"a\":-99999999999999999999999}",
		"\"\\u0000\"",
		"1e999",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++)
		if (!is_json(good[i]))
			fail_msg("refused: %s", good[i]);
}

static void anything_else_is_none(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"nul",
		"nulls",
		"truefalse",
		"01",
		"-",
		"1.",
		".5",
		"1e",
		"1e+",
		"+1",
		"0x1",
		"\"",
		"\"\\\"",
		"\"\\x\"",
		"\"\\u12g4\"",
		"\"\\u12",
		"\"\\",
		"\"a\tb\"",
		"[",
		"]",
		"{",
		"}",
		"[}",
		"{]",
		"[1,]",
		"[,1]",
		"[1 2]",
		"{,}",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{a:1}",
		"{1:1}",
		"1 2",
		"[]]",
		"{}}",
		"{}{}",
		"{\"a\":1}x",
		"'a'",
		"{\"a\":[1}",
		"[{\"a\":1]}",
		"2}",
		/* These are ends of lines whose beginning has been read already. */
		"{\"a\":1},\"b\":2}",
		"{\\\"a\\\":1}\"}",
		"\"b\",\"c\":{}}",
		"1},\"b\":2}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++)
		if (is_json(bad[i]))
			fail_msg("taken: %s", bad[i]);
	assert_false(json_scan("\0", 1, names, 0, NULL, NULL));
	assert_false(json_scan("1\0", 2, names, 0, NULL, NULL));
	assert_false(json_scan("\"\\\0\"", 4, names, 0, NULL, NULL));
}

static void check_part(const struct json_part *part, enum json_scan_kind kind, const char *text)
{
	assert_int_equal(part->kind, kind);
	assert_int_equal(part->length, strlen(text));
	assert_memory_equal(part->text, text, part->length);
}

static void members_are_found(void **state)
{
	struct json_part parts[2];
	enum json_scan_kind kind;

	(void)state;
	assert_true(
		scan("{\"c\":{\"a\":1},\"a\":\"x\\ud83d\",\"b\": [1, {\"a\":2}] }", parts, &kind));
	assert_int_equal(kind, JSON_SCAN_OBJECT);
	check_part(&parts[0], JSON_SCAN_STRING, "x\\ud83d");
	check_part(&parts[1], JSON_SCAN_ARRAY, "[1, {\"a\":2}]");
	assert_true(json_part_is(&parts[0], "x\\ud83d"));
	assert_false(json_part_is(&parts[0], "x"));
	assert_false(json_part_is(&parts[1], "[1, {\"a\":2}]"));
	/* If a name occurs twice, the last member counts, as in Node.js's JSON.parse(). */
	assert_true(scan("{\"a\":\"\",\"a\":-1e3,\"b\":null}", parts, NULL));
	check_part(&parts[0], JSON_SCAN_NUMBER, "-1e3");
	check_part(&parts[1], JSON_SCAN_WORD, "null");
	assert_true(scan("{\"a\":{},\"b\":{\"a\":[]}}", parts, NULL));
	check_part(&parts[0], JSON_SCAN_OBJECT, "{}");
	check_part(&parts[1], JSON_SCAN_OBJECT, "{\"a\":[]}");
}

static void only_members_of_the_whole_are_found(void **state)
{
	static const char *const without[] = {"[{\"a\":1,\"b\":2}]", "{\"c\":{\"a\":1,\"b\":2}}",
					      "\"a\"", "{\"\":1,\"aa\":2,\"A\":[\"a\",\"b\"]}",
					      "[\"a\",\"b\"]"};
	struct json_part parts[2];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(without); i++) {
		assert_true(scan(without[i], parts, NULL));
		assert_int_equal(parts[0].kind, JSON_SCAN_ABSENT);
		assert_int_equal(parts[1].kind, JSON_SCAN_ABSENT);
	}
}

static bool is_json_at_depth(size_t depth)
{
	char *text = malloc(2 * depth);
	bool result;

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	result = json_scan(text, 2 * depth, names, 0, NULL, NULL);
	free(text);
	return result;
}

static void nesting_has_a_bound(void **state)
{
	(void)state;
	assert_true(is_json_at_depth(JSON_SCAN_DEPTH_MAX));
	assert_false(is_json_at_depth(JSON_SCAN_DEPTH_MAX + 1));
}

/*
 * For each beginning of a text, and each text with one byte changed, json_scan() and jansson agree.
 */
static void all_that_jansson_takes_is_taken(void **state)
{
	static const char text[] =
		"{\"a\": [1, -2.5e+3, \"\\u00e4\\\"\", true], \"b\": {\"c\": null}}";
	static const char bytes[] = "{}[]\",:\\ 0-.eEu/tn";
	char copy[sizeof(text)];
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(text) - 1; i++)
		for (j = 0; j < sizeof(bytes); j++) {
			size_t length = j ? sizeof(text) - 1 : i;
			json_t *value;

			memcpy(copy, text, sizeof(text));
			if (j)
				copy[i] = bytes[j - 1];
			value = json_loadb(copy, length, JSON_DECODE_ANY, NULL);
			assert_int_equal(json_scan(copy, length, names, 0, NULL, NULL),
					 value != NULL);
			json_decref(value);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_json),
		cmocka_unit_test(anything_else_is_none),
		cmocka_unit_test(members_are_found),
		cmocka_unit_test(only_members_of_the_whole_are_found),
		cmocka_unit_test(nesting_has_a_bound),
		cmocka_unit_test(all_that_jansson_takes_is_taken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
