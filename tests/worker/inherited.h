/* SPDX-License-Identifier: MIT */
/* --print-fds: prints what the worker inherited, for the tests of the controller. */
#ifndef TESTS_WORKER_INHERITED_H
#define TESTS_WORKER_INHERITED_H

/*
 * Print descriptors, signal masks, capabilities, ids and the environment, as one JSON object on
 * each line. Call it before this program opens anything.
 */
void inherited_print(void);

#endif
