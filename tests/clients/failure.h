/* SPDX-License-Identifier: MIT */
/* The ends of the program that are not a result: neither function comes back. */
#ifndef TESTS_CLIENTS_FAILURE_H
#define TESTS_CLIENTS_FAILURE_H

/* Of the program. 0: all were answered, and sticky. */
enum exit_code { EXIT_NOT_ALL = 1, EXIT_USAGE = 2 };

/* Say what failed, and errno in words where it is not 0; exit with EXIT_NOT_ALL. */
void failure_exit(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Say what is wrong with which value of an option; exit with EXIT_USAGE. */
void failure_usage(const char *what, const char *value) __attribute__((noreturn));

#endif
