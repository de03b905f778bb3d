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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_fit_stays),
		cmocka_unit_test(control_characters_do_not_reach_a_terminal),
		cmocka_unit_test(what_is_no_utf8_is_replaced_byte_by_byte),
		cmocka_unit_test(a_sequence_that_is_cut_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
