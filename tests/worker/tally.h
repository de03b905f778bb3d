/* SPDX-License-Identifier: MIT */
/*
 * Two numbers in a file that all workers of a test share: how many connections they have accepted,
 * and how many of these they have closed. When workers have been killed, the difference is the
 * number of connections that they had accepted and not closed.
 */
#ifndef TESTS_WORKER_TALLY_H
#define TESTS_WORKER_TALLY_H

/*
 * Map the file, which has two 8-byte numbers. Exits if that fails. If path is NULL, nothing is
 * counted.
 */
void tally_open(const char *path);

void tally_accepted(void);
void tally_closed(void);

#endif
