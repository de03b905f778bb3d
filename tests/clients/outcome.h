/* SPDX-License-Identifier: MIT */
/* How a connection ended. Pure. */
#ifndef TESTS_CLIENTS_OUTCOME_H
#define TESTS_CLIENTS_OUTCOME_H

enum outcome {
	OUTCOME_ANSWERED,
	OUTCOME_REFUSED,
	OUTCOME_RESET,
	OUTCOME_TIMEOUT,
	OUTCOME_EMPTY, /* closed without a byte */
	OUTCOME_OTHER,
	OUTCOME_COUNT
};

/* What each is called in the result and in a trace: one word. */
extern const char *const outcome_names[OUTCOME_COUNT];

/* Of an errno value that a system call on the connection gave. */
enum outcome outcome_of_error(int error);

#endif
