/* SPDX-License-Identifier: MIT */
/* Ends the worker after an error; exit codes. */
#ifndef TESTS_WORKER_FAILURE_H
#define TESTS_WORKER_FAILURE_H

enum exit_code { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LISTEN_PID = 3 };

/* Print a message, with errno's text unless that is 0, and exit with EXIT_FAILED. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
