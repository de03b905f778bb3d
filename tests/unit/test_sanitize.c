// SPDX-License-Identifier: MIT
/* Text from outside is made safe for terminals and JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/sanitize.h"

static void expect(const char *from, const char *to)
{
	char text[128];

	strcpy(text, from);
	text_clean(text);
	assert_string_equal(text, to);
}

static void what_is_fit_stays(void **state)
{
	(void)state;
	expect("", "");
	expect("two\nlines, 100%\n", "two\nlines, 100%\n");
	expect("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
	       "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	expect("\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
	       "\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf");
}

static void control_characters_do_not_reach_a_terminal(void **state)
{
	(void)state;
	expect("\033[2J\a\t\r\177", "?[2J????");
	expect("\xc2\x9b"
	       "31m",
	       "??31m"); /* CSI as a single control character (U+0080 to U+009F) */
}

static void what_is_no_utf8_is_replaced_byte_by_byte(void **state)
{
	(void)state;
	expect("caf\xe9 \xff\xfe", "caf? ??");
	expect("\x80x", "?x");
	expect("\xc0\xaf", "??");	    /* overlong '/' */
	expect("\xe0\x9f\xbf", "???");	    /* overlong */
	expect("\xed\xa0\x80", "???");	    /* a surrogate */
	expect("\xf4\x90\x80\x80", "????"); /* above U+10FFFF */
	expect("\xf5\x80\x80\x80", "????");
}

static void a_sequence_that_is_cut_is_none(void **state)
{
	(void)state;
	expect("x\xc3", "x?");
	expect("x\xe2\x82", "x??");
	expect("\xf0\x9f\x98", "???");
	expect("\xe2\x82y", "??y");
}

static void characters_that_hide_others_are_replaced(void **state)
{
	(void)state;
	expect("a\xe2\x80\xae"
	       "b",
	       "a???b"); /* U+202E: the rest of the line from right to left */
	expect("\xe2\x80\xaa\xe2\x81\xa6\xe2\x81\xa9", "?????????"); /* U+202A, 2066, 2069 */
	expect("\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", "????????");	     /* U+200E, 200F, 061C */
	expect("\xe2\x80\x8b\xe2\x80\x8d\xe2\x81\xa0", "?????????"); /* zero width */
	expect("\xef\xbb\xbf", "???");				     /* U+FEFF */
	expect("\xe2\x80\xa8\xe2\x80\xa9", "??????");		/* line and paragraph separators */
	expect("\xf3\xa0\x81\x81\xf3\xa0\x80\x80", "????????"); /* tags */
	expect("\xf3\xa0\x84\x80", "????");			/* a variation selector */
	expect("\xc2\xad\xe3\x85\xa4", "?????"); /* soft hyphen, an invisible letter */
}

static void their_neighbours_stay(void **state)
{
	(void)state;
	expect("\xd7\xa9\xd7\x9c \xd8\xb3", "\xd7\xa9\xd7\x9c \xd8\xb3"); /* Hebrew, Arabic */
	expect("\xe2\x80\x8a\xe2\x80\x90", "\xe2\x80\x8a\xe2\x80\x90");	  /* U+200A, 2010 */
	expect("\xe2\x80\xa7\xe2\x80\xaf", "\xe2\x80\xa7\xe2\x80\xaf");	  /* U+2027, 202F */
	expect("\xe2\x9d\xa4\xef\xb8\x8f", "\xe2\x9d\xa4\xef\xb8\x8f");	  /* U+2764 FE0F */
	expect("\xef\xbf\xbd", "\xef\xbf\xbd");				  /* U+FFFD */
	expect("\xf3\x9f\xbf\xbf", "\xf3\x9f\xbf\xbf");			  /* U+DFFFF */
}

static void a_line_stays_one(void **state)
{
	char text[] = "a\nb\xe2\x80\xae\r";

	(void)state;
	text_clean_line(text);
	assert_string_equal(text, "a?b????");
}

static void a_value_does_not_end_its_quotes(void **state)
{
	char text[] = "x\" level=\"error\n";

	(void)state;
	text_clean_value(text);
	assert_string_equal(text, "x' level='error?");
}

static void expect_utf8(const char *bytes, size_t length, const char *expected, size_t size)
{
	char text[64];

	assert_int_equal(text_to_utf8(bytes, length, text), size);
	assert_memory_equal(text, expected, size + 1);
}

static void bytes_become_utf8(void **state)
{
	(void)state;
	expect_utf8("", 0, "", 0);
	expect_utf8("a\tb\0\xc3\xa4", 6, "a\tb\0\xc3\xa4", 6);
	expect_utf8("\xff", 1, "\xef\xbf\xbd", 3);
	/* bytes behind the given length are not read */
	expect_utf8("a\xc3\xa4", 2, "a\xef\xbf\xbd", 4);
	expect_utf8("\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_fit_stays),
		cmocka_unit_test(control_characters_do_not_reach_a_terminal),
		cmocka_unit_test(what_is_no_utf8_is_replaced_byte_by_byte),
		cmocka_unit_test(a_sequence_that_is_cut_is_none),
		cmocka_unit_test(characters_that_hide_others_are_replaced),
		cmocka_unit_test(their_neighbours_stay),
		cmocka_unit_test(a_line_stays_one),
		cmocka_unit_test(a_value_does_not_end_its_quotes),
		cmocka_unit_test(bytes_become_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
