// SPDX-License-Identifier: MIT
/* Which kernels free a replaced classic program too early. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/kernel_version.h"

#define PLAIN "#1 SMP PREEMPT_DYNAMIC"

static void series_with_the_fix(void **state)
{
	(void)state;
	assert_true(kernel_frees_programs_safely("5.10.259", PLAIN));
	assert_true(kernel_frees_programs_safely("5.15.210", PLAIN));
	assert_true(kernel_frees_programs_safely("6.1.176", PLAIN));
	assert_true(kernel_frees_programs_safely("6.6.143", PLAIN));
	assert_true(kernel_frees_programs_safely("6.12.94", PLAIN));
	assert_true(kernel_frees_programs_safely("6.18.44-custom", PLAIN));
	assert_true(kernel_frees_programs_safely("7.0.13", PLAIN));
	assert_true(kernel_frees_programs_safely("7.1.0", PLAIN));
	assert_true(kernel_frees_programs_safely("7.3.4+deb13", PLAIN));
	assert_true(kernel_frees_programs_safely("8.0", PLAIN));
}

static void series_without_it(void **state)
{
	(void)state;
	assert_false(kernel_frees_programs_safely("4.19.300", PLAIN));
	assert_false(kernel_frees_programs_safely("5.10.258", PLAIN));
	assert_false(kernel_frees_programs_safely("5.15.209", PLAIN));
	assert_false(kernel_frees_programs_safely("6.1.175", PLAIN));
	assert_false(kernel_frees_programs_safely("6.16.12", PLAIN));
	assert_false(kernel_frees_programs_safely("6.19.3", PLAIN));
	assert_false(kernel_frees_programs_safely("7.0.12", PLAIN));
}

static void debian_names_the_version_elsewhere(void **state)
{
	(void)state;
	assert_false(kernel_frees_programs_safely("6.1.0-47-cloud-amd64",
						  PLAIN " Debian 6.1.170-3 (2026-05-08)"));
	assert_true(kernel_frees_programs_safely("6.1.0-50-amd64",
						 PLAIN " Debian 6.1.192-1 (2026-11-01)"));
	assert_true(kernel_frees_programs_safely("6.12.0-1-amd64", PLAIN " Debian 6.12.118-1"));
	/* If the version text names no release, the release of the kernel decides. */
	assert_true(kernel_frees_programs_safely("6.12.95", PLAIN " Debian GNU/Linux"));
}

static void what_is_not_understood_is_not_trusted(void **state)
{
	(void)state;
	assert_false(kernel_frees_programs_safely("", ""));
	assert_false(kernel_frees_programs_safely("custom", "Debian"));
	/* In Ubuntu's release the third number is always zero. */
	assert_false(kernel_frees_programs_safely("6.8.0-60-generic", "#63-Ubuntu SMP"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(series_with_the_fix),
		cmocka_unit_test(series_without_it),
		cmocka_unit_test(debian_names_the_version_elsewhere),
		cmocka_unit_test(what_is_not_understood_is_not_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
