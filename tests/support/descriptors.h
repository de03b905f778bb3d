/* SPDX-License-Identifier: MIT */
/* File descriptors: counted, to see that none leaks; limited, to see what happens without. */
#ifndef TESTS_SUPPORT_DESCRIPTORS_H
#define TESTS_SUPPORT_DESCRIPTORS_H

#include <stdint.h>

/* How many this process has open. */
uint32_t descriptors_count(void);

/*
 * Let this process open only so many more; with 0, the next one fails with EMFILE.
 * Until descriptors_unlimit(); poll(2) refuses sets larger than the limit meanwhile.
 */
void descriptors_limit(uint32_t more);

/* As many as may be. */
void descriptors_unlimit(void);

#endif
