// SPDX-License-Identifier: MIT
/* Why the kernel refused the program: each cause has its own text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "engine/refusal.h"
#include "sticky.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void kernels_before_5_14_are_too_old(void **state)
{
	static const char *const old[] = {"5.10.0-43-cloud-amd64", "5.13.19", "4.18.0-553.el8",
					  "3.10.0", "2.6.32"};
	static const char *const recent[] = {"5.14.0",	"5.15.135",    "6.1.0-47-cloud-amd64",
					     "6.18.44", "7.3.4+deb13", "10.0"};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(old); i++)
		assert_true(refusal_is_kernel_too_old(old[i]));
	for (i = 0; i < COUNT(recent); i++)
		assert_false(refusal_is_kernel_too_old(recent[i]));
	/* A release that is not understood is not refused. */
	assert_false(refusal_is_kernel_too_old("custom"));
	assert_false(refusal_is_kernel_too_old(""));
}

static void a_verifier_that_spoke_has_refused(void **state)
{
	static const int verdicts[] = {-EPERM, -EACCES, -EINVAL, -E2BIG, -EFAULT, -ENOSPC};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(verdicts); i++)
		assert_int_equal(refusal_classify(verdicts[i], true), -ENOEXEC);
	assert_int_equal(refusal_classify(-EPERM, false), -EPERM);
	assert_int_equal(refusal_classify(-EACCES, false), -EPERM);
	assert_int_equal(refusal_classify(-EINVAL, false), -EOPNOTSUPP);
	assert_int_equal(refusal_classify(-ENOSYS, false), -EOPNOTSUPP);
	assert_int_equal(refusal_classify(-ENOMEM, true), -ENOMEM);
	assert_int_equal(refusal_classify(-EMFILE, false), -EMFILE);
	assert_int_equal(refusal_classify(-ENOENT, false), -ENOENT);
	assert_int_equal(refusal_classify(-EPROTO, false), -EPROTO);
}

struct sample {
	int error;
	struct refusal_facts facts;
	const char *cause;  /* a part of the first line */
	const char *remedy; /* a part of the second one */
};

static const struct sample samples[] = {
	{-EPERM, {.release = "6.1.0"}, "CAP_BPF is missing", "setcap"},
	{-EPERM, {.release = "6.1.0"}, "CAP_BPF is missing", "--cap-add BPF"},
	{-EPERM,
	 {.release = "6.1.0", .place = PLACE_DOCKER},
	 "CAP_BPF is missing",
	 "docker run --cap-add BPF"},
	{-EPERM,
	 {.release = "6.1.0", .place = PLACE_PODMAN},
	 "CAP_BPF is missing",
	 "podman run --cap-add BPF"},
	{-EPERM,
	 {.release = "6.1.0", .place = PLACE_KUBERNETES},
	 "CAP_BPF is missing",
	 "securityContext: {capabilities: {add: [BPF]}}"},
	{-EPERM,
	 {.release = "6.1.0", .place = PLACE_SYSTEMD},
	 "CAP_BPF is missing",
	 "AmbientCapabilities=CAP_BPF"},
	{-EPERM,
	 {.release = "6.1.0", .has_capability = true, .in_user_namespace = true},
	 "first user namespace",
	 "outside"},
	{-EPERM,
	 {.release = "6.1.0", .has_capability = true, .has_seccomp_filter = true},
	 "a seccomp filter",
	 "seccomp profile"},
	{-EPERM,
	 {.release = "6.1.0", .has_capability = true, .is_locked_down = true},
	 "locked down",
	 "lockdown=integrity"},
	{-EPERM, {.release = "6.1.0", .has_capability = true}, "security module", "audit"},
	{-EOPNOTSUPP,
	 {.release = "5.10.0-43-cloud-amd64"},
	 "Linux 5.14 or later is needed; this is 5.10.0-43-cloud-amd64",
	 "newer kernel"},
	/* Such a kernel refuses the program with any capability. */
	{-EPERM, {.release = "5.10.0-43-cloud-amd64"}, "Linux 5.14 or later", "newer kernel"},
	{-EPERM,
	 {.release = "5.10.0", .has_capability = true, .has_seccomp_filter = true},
	 "Linux 5.14 or later",
	 "newer kernel"},
	{-EOPNOTSUPP, {.release = "6.1.0"}, "without the BPF features", "CONFIG_BPF_SYSCALL"},
	{-EOPNOTSUPP,
	 {.release = "6.1.0", .has_seccomp_filter = true},
	 "a seccomp filter hides",
	 "seccomp profile"},
	{-ENOEXEC,
	 {.release = "6.99.0"},
	 "verifier refuses the program; this is Linux 6.99.0",
	 "--log-level=debug"},
	{-ENOMEM, {.release = "6.1.0"}, "Cannot allocate memory", "dmesg"},
};

static void each_cause_has_its_words_and_a_remedy(void **state)
{
	char text[STICKY_EXPLANATION_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(samples); i++) {
		char *remedy;

		refusal_explain(samples[i].error, &samples[i].facts, sizeof(text), text);
		remedy = strchr(text, '\n');
		assert_non_null(remedy);
		*remedy++ = '\0';
		assert_null(strchr(remedy, '\n'));
		if (!strstr(text, samples[i].cause) || !strstr(remedy, samples[i].remedy))
			fail_msg("sample %zu: \"%s\", \"%s\"", i, text, remedy);
	}
}

static void a_text_is_never_longer_than_its_room(void **state)
{
	struct refusal_facts facts = {.release = "6.1.0"};
	char text[8] = "1234567";

	(void)state;
	refusal_explain(-EPERM, &facts, 5, text);
	assert_string_equal(text, "BPF ");
	assert_int_equal(text[6], '7');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernels_before_5_14_are_too_old),
		cmocka_unit_test(a_verifier_that_spoke_has_refused),
		cmocka_unit_test(each_cause_has_its_words_and_a_remedy),
		cmocka_unit_test(a_text_is_never_longer_than_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
