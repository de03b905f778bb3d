/* SPDX-License-Identifier: MIT */
/* Reads the arguments of the benchmarks' programs, and raises their limit of descriptors. */
#ifndef STICKY_BENCH_ARGUMENTS_H
#define STICKY_BENCH_ARGUMENTS_H

#include <stdint.h>

#define BAD_ARGUMENT 2 /* exit code */

/*
 * Read a whole number from `least` to `most`. Another value ends the program, with an error that
 * names `program`.
 */
uint32_t arguments_number(const char *program, const char *text, uint32_t least, uint32_t most);

/* Allow as many descriptors as possible: 1,024 slots are as many sockets, for each family. */
void arguments_raise_descriptor_limit(void);

#endif
