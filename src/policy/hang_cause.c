// SPDX-License-Identifier: MIT
#include "policy/hang_cause.h"

#include <assert.h>

static const struct {
	const char *text, *hint;
} causes[] = {
	[HANG_STOPPED] = {"is stopped, by SIGSTOP or a debugger", "kill -CONT PID lets it go on"},
	[HANG_SPINS] = {"computes all the time, and accepts nothing",
			"it may be in an endless loop: look at it by gdb -p, py-spy or node "
			"--inspect; --on-hang=restart replaces such a worker"},
	[HANG_SLEEPS] = {"waits for something else, and accepts nothing",
			 "look what it waits for, by gdb -p or py-spy, and whether it accepts from "
			 "each socket that it was given (descriptor 3 and those behind it); "
			 "--on-hang=restart replaces such a worker"},
	[HANG_CLOSED_SOCKET] = {"has closed its listening socket, and goes on",
				"a worker that can't go on should end, or send STOPPING=1 before "
				"it closes its listening socket"},
	[HANG_BOUND_SOCKET] = {"has bound its listening socket to a network device, and does not "
			       "hear its clients",
			       "a worker must not set SO_BINDTODEVICE on its listening socket: "
			       "--bind-device does it for all of them"},
};

static_assert(sizeof(causes) / sizeof(causes[0]) == HANG_CAUSE_COUNT, "a text for each cause");

enum hang_cause hang_cause_of(char letter, uint64_t cpu_ms, uint64_t elapsed_ms)
{
	if (letter == 'T' || letter == 't')
		return HANG_STOPPED;
	/* A twentieth is enough: the process may have to share the processor with many others. */
	if (letter == 'R' && 20 * cpu_ms >= elapsed_ms)
		return HANG_SPINS;
	return HANG_SLEEPS;
}

const char *hang_cause_text(enum hang_cause cause)
{
	return causes[cause].text;
}

const char *hang_cause_hint(enum hang_cause cause)
{
	return causes[cause].hint;
}
