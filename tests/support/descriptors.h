/* SPDX-License-Identifier: MIT */
/*
 * File descriptors. Tests count them to see that none leaks, and limit them to see what happens
 * when they run out.
 */
#ifndef TESTS_SUPPORT_DESCRIPTORS_H
#define TESTS_SUPPORT_DESCRIPTORS_H

#include <stdint.h>

/* The number of descriptors that this process has open. */
uint32_t descriptors_count(void);

/*
 * Let this process open only `more` descriptors, until descriptors_unlimit(). With 0, the next call
 * that opens one fails with EMFILE. Meanwhile poll(2) refuses sets that are larger than the limit.
 */
void descriptors_limit(uint32_t more);

/* Remove the limit again. */
void descriptors_unlimit(void);

#endif
