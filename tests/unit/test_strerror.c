// SPDX-License-Identifier: MIT
/* The texts of sticky_strerror(): each error that sticky.h names has a cause and a remedy. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "sticky.h"

/* The errors that sticky.h names: `make check-abi` finds those that errors.c does not have. */
static const int documented[] = {
	EACCES,	      EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EBADF,	  EBUSY,   ECHILD,
	EDESTADDRREQ, EEXIST,	  EINVAL,	 EMFILE,       ENFILE, ENOENT,	  ENOEXEC, ENOMEM,
	ENOSPC,	      ENOTSOCK,	  EOPNOTSUPP,	 EPERM,	       EPROTO, ESHUTDOWN, E2BIG,
};

static void each_documented_error_has_a_remedy(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(documented) / sizeof(documented[0]); i++) {
		const char *text = sticky_strerror(-documented[i]);

		if (!strstr(text, "; "))
			fail_msg("%s: no remedy: %s", strerror(documented[i]), text);
		assert_null(strchr(text, '\n'));
		assert_string_not_equal(text, strerror(documented[i]));
		assert_ptr_equal(sticky_strerror(documented[i]), text);
	}
}

/* One number has several causes. The text must not send its reader after the wrong one. */
static void each_cause_is_named(void **state)
{
	(void)state;
	assert_non_null(strstr(sticky_strerror(-EPERM), "CAP_BPF"));
	assert_non_null(strstr(sticky_strerror(-EPERM), "`prepare`"));
	assert_non_null(strstr(sticky_strerror(-EPERM), "CAP_NET_ADMIN"));
	assert_non_null(strstr(sticky_strerror(-EADDRINUSE), "SO_REUSEADDR"));
	assert_non_null(strstr(sticky_strerror(-EADDRINUSE), "uid"));
	assert_non_null(strstr(sticky_strerror(-EADDRNOTAVAIL), "sticky_worker_adopt()"));
}

static void other_numbers_have_a_text(void **state)
{
	(void)state;
	assert_string_equal(sticky_strerror(0), "no error");
	assert_string_equal(sticky_strerror(-ENOTEMPTY), strerror(ENOTEMPTY));
	assert_string_equal(sticky_strerror(-100000),
			    "an error number that the system does not know");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_documented_error_has_a_remedy),
		cmocka_unit_test(each_cause_is_named),
		cmocka_unit_test(other_numbers_have_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
