// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>

#include "classic_interpreter.h"

struct machine {
	uint32_t a, x;
	uint32_t memory[BPF_MEMWORDS];
	uint32_t written; /* a bit for each word of the memory */
};

/* Load `size` bytes at an offset from the network header. Returns false beyond the packet. */
static bool load(const struct classic_packet *packet, uint32_t k, uint32_t size, uint32_t *ret_a)
{
	uint32_t offset = k - (uint32_t)SKF_NET_OFF, value = 0, i;

	if (k == (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)) {
		*ret_a = packet->protocol;
		return true;
	}
	if (offset + size > packet->size)
		return false;
	for (i = 0; i < size; i++)
		value = value << 8 | packet->bytes[offset + i];
	*ret_a = value;
	return true;
}

static uint32_t compute(uint16_t code, uint32_t a, uint32_t operand)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		return a + operand;
	case BPF_AND:
		return a & operand;
	case BPF_OR:
		return a | operand;
	case BPF_XOR:
		return a ^ operand;
	case BPF_LSH:
		assert_true(operand < 32);
		return a << operand;
	case BPF_RSH:
		assert_true(operand < 32);
		return a >> operand;
	default:
		fail_msg("an unknown operation: %#x", code);
		return 0;
	}
}

/* Return how many instructions a jump skips. */
static uint32_t distance(const struct sock_filter *at, uint32_t a)
{
	switch (BPF_OP(at->code)) {
	case BPF_JA:
		return at->k;
	case BPF_JEQ:
		return a == at->k ? at->jt : at->jf;
	case BPF_JGE:
		return a >= at->k ? at->jt : at->jf;
	default:
		fail_msg("an unknown jump: %#x", at->code);
		return 0;
	}
}

static uint32_t recall(const struct machine *machine, uint32_t k)
{
	assert_true(k < BPF_MEMWORDS && machine->written & 1u << k);
	return machine->memory[k];
}

static void keep(struct machine *machine, uint32_t k)
{
	assert_true(k < BPF_MEMWORDS);
	machine->memory[k] = machine->a;
	machine->written |= 1u << k;
}

/* Execute an instruction that neither jumps, nor returns, nor reads the packet. */
static void step(struct machine *machine, const struct sock_filter *at)
{
	switch (at->code) {
	case BPF_LD | BPF_IMM:
		machine->a = at->k;
		break;
	case BPF_LD | BPF_MEM:
		machine->a = recall(machine, at->k);
		break;
	case BPF_LDX | BPF_MEM:
		machine->x = recall(machine, at->k);
		break;
	case BPF_ST:
		keep(machine, at->k);
		break;
	case BPF_MISC | BPF_TAX:
		machine->x = machine->a;
		break;
	case BPF_MISC | BPF_TXA:
		machine->a = machine->x;
		break;
	default:
		assert_int_equal(BPF_CLASS(at->code), BPF_ALU);
		machine->a = compute(at->code, machine->a,
				     BPF_SRC(at->code) == BPF_X ? machine->x : at->k);
	}
}

uint32_t classic_run(const struct sock_filter *code, uint32_t length,
		     const struct classic_packet *packet)
{
	struct machine machine = {0};
	uint32_t at;

	for (at = 0; at < length; at++) {
		const struct sock_filter *now = &code[at];

		if (now->code == (BPF_RET | BPF_K))
			return now->k;
		if (BPF_CLASS(now->code) == BPF_JMP) {
			at += distance(now, machine.a);
		} else if (BPF_CLASS(now->code) == BPF_LD && BPF_MODE(now->code) == BPF_ABS) {
			if (!load(packet, now->k, BPF_SIZE(now->code) == BPF_W ? 4 : 2, &machine.a))
				return 0;
		} else {
			step(&machine, now);
		}
	}
	fail_msg("the program does not end by a return");
	return 0;
}
