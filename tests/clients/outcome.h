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

/* The name of each outcome in the result and in a trace: one word. */
extern const char *const outcome_names[OUTCOME_COUNT];

/* Returns the outcome for an errno value of a system call on the connection. */
enum outcome outcome_of_error(int error);

#endif
