/* SPDX-License-Identifier: MIT */
/* A small interpreter of classic BPF: what src/engine/classic_program.c uses, and nothing else. */
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
 * Run a program. The test fails if it does what the kernel would refuse: an unknown instruction, a
 * jump or an end outside of the program, a word of memory that was not written before.
 *
 * Returns what the program returns; 0 where it reads beyond the packet, as the kernel does.
 */
uint32_t classic_run(const struct sock_filter *code, uint32_t length,
		     const struct classic_packet *packet);

#endif
