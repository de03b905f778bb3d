/* SPDX-License-Identifier: MIT */
/*
 * How many connections all workers of a test have accepted, and how many of them they have closed:
 * two numbers in a file that they share. What a killed worker had accepted and not closed is the
 * difference.
 */
#ifndef TESTS_WORKER_TALLY_H
#define TESTS_WORKER_TALLY_H

/* Map the file, which has two 8-byte numbers; exits where that fails. NULL: nothing is counted. */
void tally_open(const char *path);

void tally_accepted(void);
void tally_closed(void);

#endif
