/* SPDX-License-Identifier: MIT */
/* What the benchmarks' programs are given, and what they need for it. */
#ifndef STICKY_BENCH_ARGUMENTS_H
#define STICKY_BENCH_ARGUMENTS_H

#include <stdint.h>

#define BAD_ARGUMENT 2 /* exit code */

/* A whole number from `least` to `most`. Another one ends the program, which is named in the error.
 */
uint32_t arguments_number(const char *program, const char *text, uint32_t least, uint32_t most);

/* As many descriptors as we may have: 1,024 slots are as many sockets, for each family. */
void arguments_raise_descriptor_limit(void);

#endif
