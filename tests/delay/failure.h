/* SPDX-License-Identifier: MIT */
/* Ends the program after an error. */
#ifndef TESTS_DELAY_FAILURE_H
#define TESTS_DELAY_FAILURE_H

/* The exit codes of the program. 0: every packet was passed on. */
enum exit_code {
	EXIT_DROPPED = 1, /* a packet was dropped, or a system call failed */
	EXIT_USAGE = 2,
	EXIT_NO_TUN = 77 /* this machine has no TUN devices that can be used: a test is skipped */
};

/* Print what failed, and errno in words, to stderr, and exit with the code. */
void failure_exit(enum exit_code code, const char *what) __attribute__((noreturn));

#endif
