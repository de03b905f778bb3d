/* SPDX-License-Identifier: MIT */
/*
 * --bind: listening sockets that the worker opens itself, as servers without socket activation do.
 */
#ifndef TESTS_WORKER_BOUND_H
#define TESTS_WORKER_BOUND_H

/* Open a socket that listens on "HOST:PORT" or "[V6]:PORT". Returns it, or exits if that fails. */
int bound_open(const char *address);

#endif
