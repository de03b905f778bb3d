/* SPDX-License-Identifier: MIT */
/* Ends the program after an error. The functions do not return. */
#ifndef TESTS_CLIENTS_FAILURE_H
#define TESTS_CLIENTS_FAILURE_H

/* The exit codes of the program. 0: all were answered, and sticky. */
enum exit_code { EXIT_NOT_ALL = 1, EXIT_USAGE = 2 };

/* Print what failed, and the text of errno if it is not 0, and exit with EXIT_NOT_ALL. */
void failure_exit(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Print which value of an option is wrong, and why, and exit with EXIT_USAGE. */
void failure_usage(const char *what, const char *value) __attribute__((noreturn));

#endif
