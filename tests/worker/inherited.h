/* SPDX-License-Identifier: MIT */
/* --print-fds: what the worker inherited, for the tests of the controller. */
#ifndef TESTS_WORKER_INHERITED_H
#define TESTS_WORKER_INHERITED_H

/*
 * Print descriptors, signal masks, capabilities, ids and the environment: one JSON object a line.
 * Must come before this program opens anything.
 */
void inherited_print(void);

#endif
