// SPDX-License-Identifier: MIT
/* The state of a process, as the kernel reports it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procfs/process_state.h"

static pid_t start(bool spins)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "a) R (b");
		while (spins)
			;
		for (;;)
			pause();
	}
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void wait_for_letter(pid_t pid, char letter)
{
	struct process_state state = {0};
	int i;

	for (i = 0; i < 10000 && state.letter != letter; i++) {
		assert_int_equal(process_state_read(pid, &state), 0);
		usleep(1000);
	}
	assert_int_equal(state.letter, letter);
}

static void letters(void **state)
{
	pid_t pid = start(false);

	(void)state;
	wait_for_letter(pid, 'S');
	kill(pid, SIGSTOP);
	wait_for_letter(pid, 'T');
	kill(pid, SIGCONT);
	wait_for_letter(pid, 'S');
	end(pid);
}

static void cpu_time_grows(void **state)
{
	struct process_state now = {0};
	pid_t pid = start(true);
	int i;

	(void)state;
	for (i = 0; i < 10000 && now.cpu_ms < 50; i++) {
		assert_int_equal(process_state_read(pid, &now), 0);
		usleep(1000);
	}
	assert_in_range(now.cpu_ms, 50, 10000);
	assert_int_equal(now.letter, 'R');
	end(pid);
}

static void no_such_process(void **state)
{
	struct process_state now;

	(void)state;
	assert_int_equal(process_state_read(1 << 30, &now), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters),
		cmocka_unit_test(cpu_time_grows),
		cmocka_unit_test(no_such_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
