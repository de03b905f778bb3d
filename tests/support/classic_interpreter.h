/* SPDX-License-Identifier: MIT */
/*
 * A small interpreter of classic BPF. It knows only the instructions that
 * src/engine/classic_program.c uses.
 */
#ifndef TESTS_SUPPORT_CLASSIC_INTERPRETER_H
#define TESTS_SUPPORT_CLASSIC_INTERPRETER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/* A packet, from its network header on. */
struct classic_packet {
	uint16_t protocol; /* ETH_P_... */
	uint8_t bytes[64];
	size_t size;
};

/*
 * Run a program. The test fails if the program does something that the kernel would refuse: an
 * unknown instruction, a jump or an end outside of the program, a word of memory that was not
 * written before.
 *
 * Returns what the program returns, or 0 if the program reads beyond the packet, as in the kernel.
 */
uint32_t classic_run(const struct sock_filter *code, uint32_t length,
		     const struct classic_packet *packet);

#endif
