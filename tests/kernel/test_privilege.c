// SPDX-License-Identifier: MIT
/*
 * Least privilege of the controller: when each capability is effective, and what happens if the
 * kernel refuses to take one away. Each test runs in a process of its own, as a capability that was
 * given up does not come back.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rights/privilege.h"
#include "../support/caps.h"
#include "../support/netns.h"

#define BIT(capability) (UINT64_C(1) << (capability))
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return __LINE__;                                                           \
	} while (0)

#define DONE 0

/* A function that runs in a child process. Returns DONE, or the line of the check that failed. */
typedef int child_fn(void);

struct outcome {
	int status; /* status from waitpid() */
	int line;   /* the result of the function; -1: it did not return */
	char log[2048];
};

static void run_in_child(child_fn *function, int result_fd, int log_fd)
{
	int line;

	if (dup2(log_fd, STDERR_FILENO) < 0)
		_exit(2);
	line = function();
	_exit(write(result_fd, &line, sizeof(line)) == sizeof(line) ? 0 : 2);
}

static struct outcome run(child_fn *function)
{
	struct outcome outcome = {.line = -1};
	int result[2], log[2];
	size_t length = 0;
	ssize_t count;
	pid_t child;

	assert_int_equal(pipe(result), 0);
	assert_int_equal(pipe(log), 0);
	child = fork();
	if (child == 0)
		run_in_child(function, result[1], log[1]);
	assert_true(child > 0);
	close(result[1]);
	close(log[1]);
	while ((count = read(log[0], outcome.log + length, sizeof(outcome.log) - 1 - length)) > 0)
		length += (size_t)count;
	if (read(result[0], &outcome.line, sizeof(outcome.line)) != sizeof(outcome.line))
		outcome.line = -1;
	close(result[0]);
	close(log[0]);
	assert_int_equal(waitpid(child, &outcome.status, 0), child);
	return outcome;
}

static void assert_done(child_fn *function)
{
	struct outcome outcome = run(function);

	assert_int_equal(outcome.line, DONE);
	assert_true(WIFEXITED(outcome.status));
	assert_int_equal(WEXITSTATUS(outcome.status), 0);
}

/*
 * Check that the child exits by itself, with a line in the log, and that nothing after the call is
 * run.
 */
static void assert_ends_itself(child_fn *function)
{
	struct outcome outcome = run(function);

	assert_int_equal(outcome.line, -1);
	assert_true(WIFEXITED(outcome.status));
	assert_int_equal(WEXITSTATUS(outcome.status), 1);
	assert_non_null(strstr(outcome.log, "error privilege_not_dropped "));
	assert_non_null(strstr(outcome.log, "capset()"));
}

/* ---- When the kernel obeys ---------------------------------------------------------- */

static uint64_t effective(void)
{
	return caps_read().effective;
}

static int shrink(void)
{
	const uint64_t kept = BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SETUID) | BIT(CAP_SETGID) |
			      BIT(CAP_KILL) | BIT(CAP_BPF) | BIT(CAP_DAC_READ_SEARCH) |
			      BIT(CAP_SYS_PTRACE);
	uint64_t before = caps_read().permitted;

	CHECK(effective() & BIT(CAP_BPF));
	CHECK(privilege_shrink(0) == 0);
	CHECK(effective() == 0);
	CHECK(caps_read().inheritable == 0);
	CHECK(caps_read().permitted == (before & kept));
	/* A second call has no effect. */
	CHECK(privilege_shrink(0) == 0);
	CHECK(caps_read().permitted == (before & kept));
	return DONE;
}

static int shrink_with_an_option(void)
{
	unsigned int previous;

	CHECK(privilege_shrink(PRIVILEGE_NET_ADMIN) == 0);
	CHECK(effective() == 0);
	previous = privilege_raise(PRIVILEGE_NET_ADMIN);
	CHECK(effective() == BIT(CAP_NET_ADMIN));
	privilege_restore(previous);
	CHECK(privilege_shrink(0) == 0);
	CHECK(!(caps_read().permitted & BIT(CAP_NET_ADMIN)));
	return DONE;
}

static void what_an_option_needs_is_kept_for_it(void **state)
{
	(void)state;
	assert_done(shrink_with_an_option);
}

static void after_shrink_nothing_is_effective(void **state)
{
	(void)state;
	assert_done(shrink);
}

static int raise_each(void)
{
	static const struct {
		unsigned int bit;
		int capability;
	} names[] = {
		{PRIVILEGE_NET_BIND_SERVICE, CAP_NET_BIND_SERVICE},
		{PRIVILEGE_SETUID, CAP_SETUID},
		{PRIVILEGE_SETGID, CAP_SETGID},
		{PRIVILEGE_KILL, CAP_KILL},
		{PRIVILEGE_BPF, CAP_BPF},
		{PRIVILEGE_DAC_READ_SEARCH, CAP_DAC_READ_SEARCH},
		{PRIVILEGE_SYS_PTRACE, CAP_SYS_PTRACE},
	};
	size_t i;

	CHECK(privilege_shrink(0) == 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CHECK(privilege_raise(names[i].bit) == 0);
		CHECK(effective() == BIT(names[i].capability));
		privilege_restore(0);
		CHECK(effective() == 0);
	}
	return DONE;
}

static void each_bit_is_the_capability_it_is_named_after(void **state)
{
	(void)state;
	assert_done(raise_each);
}

static int nest(void)
{
	unsigned int outer, inner, innermost;

	CHECK(privilege_shrink(0) == 0);
	outer = privilege_raise(PRIVILEGE_BPF);
	CHECK(effective() == BIT(CAP_BPF));
	inner = privilege_raise(PRIVILEGE_KILL | PRIVILEGE_NET_BIND_SERVICE);
	CHECK(effective() == (BIT(CAP_BPF) | BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE)));
	/* A capability that was effective before must not be lowered when an inner region ends. */
	innermost = privilege_raise(PRIVILEGE_BPF);
	privilege_restore(innermost);
	CHECK(effective() == (BIT(CAP_BPF) | BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE)));
	privilege_restore(inner);
	CHECK(effective() == BIT(CAP_BPF));
	privilege_restore(outer);
	CHECK(effective() == 0);
	return DONE;
}

static void regions_nest(void **state)
{
	(void)state;
	assert_done(nest);
}

static int begin_before_shrink(void)
{
	uint64_t before = effective();
	unsigned int previous = privilege_raise(PRIVILEGE_BPF | PRIVILEGE_SETUID);

	CHECK(effective() == before);
	privilege_restore(previous);
	CHECK(effective() == before);
	return DONE;
}

static void before_shrink_a_region_changes_nothing(void **state)
{
	(void)state;
	assert_done(begin_before_shrink);
}

static int raise_what_is_not_permitted(void)
{
	unsigned int previous;

	privilege_drop();
	previous = privilege_raise(PRIVILEGE_BPF | PRIVILEGE_KILL);
	CHECK(previous == 0);
	CHECK(effective() == 0);
	privilege_restore(previous);
	CHECK(privilege_shrink(0) == 0);
	return DONE;
}

static void what_is_not_permitted_is_left_out(void **state)
{
	(void)state;
	assert_done(raise_what_is_not_permitted);
}

static void *drop_in_thread(void *context)
{
	struct caps_sets *sets = context;

	privilege_drop();
	*sets = caps_read();
	return NULL;
}

static int drop_beside(void)
{
	struct caps_sets sets = {.permitted = 1};
	unsigned int previous;
	pthread_t thread;

	CHECK(privilege_shrink(0) == 0);
	/* A new thread has the effective set of the thread that starts it. */
	previous = privilege_raise(PRIVILEGE_BPF);
	CHECK(pthread_create(&thread, NULL, drop_in_thread, &sets) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(sets.effective == 0 && sets.permitted == 0 && sets.inheritable == 0);
	CHECK(effective() == BIT(CAP_BPF));
	privilege_restore(previous);
	CHECK(effective() == 0);
	return DONE;
}

static void a_thread_drops_its_own_alone(void **state)
{
	(void)state;
	assert_done(drop_beside);
}

/* ---- When the kernel refuses --------------------------------------------------------- */

static int shrink_frozen(void)
{
	struct caps_sets before = caps_read(), after;

	CHECK(caps_freeze() == 0);
	CHECK(privilege_shrink(0) == -EPERM);
	after = caps_read();
	CHECK(memcmp(&before, &after, sizeof(before)) == 0);
	/* The sets are still consistent. No set has to be changed, and so nothing can fail. */
	privilege_restore(privilege_raise(PRIVILEGE_BPF));
	return DONE;
}

static void a_shrink_that_fails_says_so(void **state)
{
	(void)state;
	assert_done(shrink_frozen);
}

static int raise_frozen(void)
{
	unsigned int previous;

	CHECK(privilege_shrink(0) == 0);
	CHECK(caps_freeze() == 0);
	previous = privilege_raise(PRIVILEGE_BPF);
	CHECK(effective() == 0);
	privilege_restore(previous);
	return DONE;
}

static void a_raise_that_fails_leaves_nothing_to_lower(void **state)
{
	struct outcome outcome = run(raise_frozen);

	(void)state;
	assert_int_equal(outcome.line, DONE);
	assert_non_null(strstr(outcome.log, "error privilege_not_raised "));
}

static int restore_frozen(void)
{
	unsigned int previous;

	CHECK(privilege_shrink(0) == 0);
	previous = privilege_raise(PRIVILEGE_BPF);
	CHECK(caps_freeze() == 0);
	privilege_restore(previous);
	return DONE;
}

static void a_region_that_can_not_end_ends_the_process(void **state)
{
	(void)state;
	assert_ends_itself(restore_frozen);
}

static int drop_frozen(void)
{
	struct caps_sets sets;
	pthread_t thread;

	CHECK(caps_freeze() == 0);
	CHECK(pthread_create(&thread, NULL, drop_in_thread, &sets) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	return DONE;
}

static void a_thread_never_goes_on_with_privileges(void **state)
{
	(void)state;
	assert_ends_itself(drop_frozen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_shrink_nothing_is_effective),
		cmocka_unit_test(what_an_option_needs_is_kept_for_it),
		cmocka_unit_test(each_bit_is_the_capability_it_is_named_after),
		cmocka_unit_test(regions_nest),
		cmocka_unit_test(before_shrink_a_region_changes_nothing),
		cmocka_unit_test(what_is_not_permitted_is_left_out),
		cmocka_unit_test(a_thread_drops_its_own_alone),
		cmocka_unit_test(a_shrink_that_fails_says_so),
		cmocka_unit_test(a_raise_that_fails_leaves_nothing_to_lower),
		cmocka_unit_test(a_region_that_can_not_end_ends_the_process),
		cmocka_unit_test(a_thread_never_goes_on_with_privileges),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
