// SPDX-License-Identifier: MIT
#include "engine/classic_program.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "engine/classic_table.h"

/* Offsets from the network header, in the form that the kernel wants. */
#define NET(offset) ((uint32_t)(SKF_NET_OFF + (offset)))
#define V4_SOURCE   NET(12)
#define V4_PORT	    NET(20) /* if the header has no options, as on packets of this machine */
#define V6_SOURCE   NET(8)
#define V6_PORT	    NET(40) /* if there are no extension headers */
#define PROTOCOL    ((uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL))

#define PROTOCOL_V4 0x0800
#define PROTOCOL_V6 0x86dd

/* The words of scratch memory. */
enum memory {
	V0,
	V1,
	V2,
	V3,
	TEMPORARY,
	WORD,  /* the word of the input that is mixed in next */
	LENGTH /* the last word of the hash's input: its length */
};

static void emit(struct classic_code *code, uint16_t operation, uint32_t k)
{
	classic_emit(code, (struct sock_filter){.code = operation, .k = k});
}

/* Emit a conditional jump over `yes` or `no` instructions. */
static void jump_if(struct classic_code *code, uint16_t condition, uint32_t k, uint8_t yes,
		    uint8_t no)
{
	classic_emit(code,
		     (struct sock_filter){
			     .code = BPF_JMP | condition | BPF_K, .jt = yes, .jf = no, .k = k});
}

/* Emit a jump whose target is set later, by classic_land(). Returns the jump's place. */
static uint32_t jump(struct classic_code *code)
{
	emit(code, BPF_JMP | BPF_JA, 0);
	return code->length - 1;
}

/* ---- HalfSipHash-1-3, as in bpf/select.h --------------------------------------------- */

/* Emit: A and M[to] become M[to] + M[what]. */
static void add(struct classic_code *code, enum memory to, enum memory what)
{
	emit(code, BPF_LD | BPF_MEM, to);
	emit(code, BPF_LDX | BPF_MEM, what);
	emit(code, BPF_ALU | BPF_ADD | BPF_X, 0);
	emit(code, BPF_ST, to);
}

/* Emit: A becomes M[what], rotated to the left. */
static void rotate(struct classic_code *code, enum memory what, uint32_t bits)
{
	emit(code, BPF_LDX | BPF_MEM, what);
	emit(code, BPF_MISC | BPF_TXA, 0);
	emit(code, BPF_ALU | BPF_LSH | BPF_K, bits);
	emit(code, BPF_ST, TEMPORARY);
	emit(code, BPF_MISC | BPF_TXA, 0);
	emit(code, BPF_ALU | BPF_RSH | BPF_K, 32 - bits);
	emit(code, BPF_LDX | BPF_MEM, TEMPORARY);
	emit(code, BPF_ALU | BPF_OR | BPF_X, 0);
}

/* Emit: M[what] is rotated, and then combined with M[with] by exclusive or. */
static void rotate_xor(struct classic_code *code, enum memory what, uint32_t bits, enum memory with)
{
	rotate(code, what, bits);
	emit(code, BPF_LDX | BPF_MEM, with);
	emit(code, BPF_ALU | BPF_XOR | BPF_X, 0);
	emit(code, BPF_ST, what);
}

static void sip_round(struct classic_code *code)
{
	add(code, V0, V1);
	rotate_xor(code, V1, 5, V0);
	rotate(code, V0, 16);
	emit(code, BPF_ST, V0);
	add(code, V2, V3);
	rotate_xor(code, V3, 8, V2);
	add(code, V0, V3);
	rotate_xor(code, V3, 7, V0);
	add(code, V2, V1);
	rotate_xor(code, V1, 13, V2);
	rotate(code, V2, 16);
	emit(code, BPF_ST, V2);
}

static void xor_into(struct classic_code *code, enum memory to, enum memory what)
{
	emit(code, BPF_LD | BPF_MEM, to);
	emit(code, BPF_LDX | BPF_MEM, what);
	emit(code, BPF_ALU | BPF_XOR | BPF_X, 0);
	emit(code, BPF_ST, to);
}

/* Emit: a word of the input is mixed into the hash. */
static void compress(struct classic_code *code, enum memory word)
{
	xor_into(code, V3, word);
	sip_round(code);
	xor_into(code, V0, word);
}

static void store(struct classic_code *code, enum memory to, uint32_t value)
{
	emit(code, BPF_LD | BPF_IMM, value);
	emit(code, BPF_ST, to);
}

static void begin_hash(struct classic_code *code, const struct sticky_settings *settings,
		       uint32_t words)
{
	store(code, V0, settings->hash_seed[0]);
	store(code, V1, settings->hash_seed[1]);
	store(code, V2, 0x6c796765u ^ settings->hash_seed[0]);
	store(code, V3, 0x74656462u ^ settings->hash_seed[1]);
	store(code, LENGTH, (words * 4) << 24);
}

/*
 * Emit: the last word of the address and the length are mixed into the hash. A becomes the bucket.
 */
static void end_hash(struct classic_code *code)
{
	uint32_t i;

	compress(code, WORD);
	compress(code, LENGTH);
	emit(code, BPF_LD | BPF_MEM, V2);
	emit(code, BPF_ALU | BPF_XOR | BPF_K, 0xff);
	emit(code, BPF_ST, V2);
	for (i = 0; i < 3; i++)
		sip_round(code);
	emit(code, BPF_LD | BPF_MEM, V1);
	emit(code, BPF_LDX | BPF_MEM, V3);
	emit(code, BPF_ALU | BPF_XOR | BPF_X, 0);
	emit(code, BPF_ALU | BPF_AND | BPF_K, STICKY_BUCKETS - 1);
}

/* ---- The client's address -------------------------------------------------------------- */

/*
 * Emit: M[WORD] becomes the word of the hash's input for A, a word of an address. A load puts the
 * first of four bytes in the highest place, but the hash needs it in the lowest place.
 *
 * mask  network order, as in the settings
 */
static void take_word(struct classic_code *code, uint32_t mask)
{
	if (mask != UINT32_MAX)
		emit(code, BPF_ALU | BPF_AND | BPF_K, ntohl(mask));
	/* (A << 8 & 0xff00ff00) | (A >> 8 & 0x00ff00ff), and then both halves change places. */
	emit(code, BPF_MISC | BPF_TAX, 0);
	emit(code, BPF_ALU | BPF_LSH | BPF_K, 8);
	emit(code, BPF_ALU | BPF_AND | BPF_K, 0xff00ff00u);
	emit(code, BPF_ST, TEMPORARY);
	emit(code, BPF_MISC | BPF_TXA, 0);
	emit(code, BPF_ALU | BPF_RSH | BPF_K, 8);
	emit(code, BPF_ALU | BPF_AND | BPF_K, 0x00ff00ffu);
	emit(code, BPF_LDX | BPF_MEM, TEMPORARY);
	emit(code, BPF_ALU | BPF_OR | BPF_X, 0);
	emit(code, BPF_ST, WORD);
	rotate(code, WORD, 16);
	emit(code, BPF_ST, WORD);
}

/* The number of instructions that check_ports() emits. */
#define CHECK_PORTS_LENGTH (CLASSIC_CHECK_PORTS + 2)

/* Emit: return `other` if the port, which is at `offset`, is one of the check's. */
static void check_ports(struct classic_code *code, const struct classic_spec *spec, uint32_t offset)
{
	uint8_t i;

	emit(code, BPF_LD | BPF_H | BPF_ABS, offset);
	for (i = 0; i < CLASSIC_CHECK_PORTS; i++) {
		uint8_t left = (uint8_t)(CLASSIC_CHECK_PORTS - 1 - i);

		jump_if(code, BPF_JEQ, ntohs(spec->check.ports[i]), left, !left);
	}
	emit(code, BPF_RET | BPF_K, spec->other);
}

/* Emit: return `other` if the connection comes from the address and a port of the check. */
static void check_v4(struct classic_code *code, const struct classic_spec *spec)
{
	if (!spec->check.has_v4)
		return;
	emit(code, BPF_LD | BPF_W | BPF_ABS, V4_SOURCE);
	jump_if(code, BPF_JEQ, ntohl(spec->check.v4), 0, CHECK_PORTS_LENGTH);
	check_ports(code, spec, V4_PORT);
}

static void check_v6(struct classic_code *code, const struct classic_spec *spec)
{
	uint8_t i;

	if (!spec->check.has_v6)
		return;
	for (i = 0; i < 4; i++) {
		emit(code, BPF_LD | BPF_W | BPF_ABS, V6_SOURCE + 4u * i);
		jump_if(code, BPF_JEQ, ntohl(spec->check.v6[i]), 0,
			(uint8_t)(2 * (3 - i) + CHECK_PORTS_LENGTH));
	}
	check_ports(code, spec, V6_PORT);
}

/* Emit: begin the hash of an IPv4 address, which is in A. */
static void hash_v4(struct classic_code *code, const struct sticky_settings *settings)
{
	take_word(code, settings->v4_mask);
	begin_hash(code, settings, 1);
}

/*
 * Emit: if the address is v4-mapped, jump away with its last word in A. Returns the jump's place.
 */
static uint32_t find_mapped(struct classic_code *code)
{
	uint32_t mapped;

	emit(code, BPF_LD | BPF_W | BPF_ABS, V6_SOURCE);
	jump_if(code, BPF_JEQ, 0, 0, 6);
	emit(code, BPF_LD | BPF_W | BPF_ABS, V6_SOURCE + 4);
	jump_if(code, BPF_JEQ, 0, 0, 4);
	emit(code, BPF_LD | BPF_W | BPF_ABS, V6_SOURCE + 8);
	jump_if(code, BPF_JEQ, 0xffff, 0, 2);
	emit(code, BPF_LD | BPF_W | BPF_ABS, V6_SOURCE + 12);
	mapped = jump(code);
	return mapped;
}

static void hash_v6(struct classic_code *code, const struct sticky_settings *settings)
{
	uint32_t i;

	begin_hash(code, settings, 4);
	for (i = 0; i < 4; i++) {
		emit(code, BPF_LD | BPF_W | BPF_ABS, V6_SOURCE + 4 * i);
		take_word(code, settings->v6_mask[i]);
		if (i < 3)
			compress(code, WORD);
	}
}

/* ---- The program ------------------------------------------------------------------------- */

int classic_program_make(const struct classic_spec *spec, struct sock_filter *ret_code,
			 uint32_t *ret_length)
{
	struct classic_code code = {.items = ret_code, .room = CLASSIC_PROGRAM_MAX};
	uint32_t to_v6, mapped, hashed;

	if (spec->refuses) {
		emit(&code, BPF_RET | BPF_K, spec->other);
		*ret_length = code.length;
		return 0;
	}
	emit(&code, BPF_LD | BPF_W | BPF_ABS, PROTOCOL);
	jump_if(&code, BPF_JEQ, PROTOCOL_V6, 0, 1);
	to_v6 = jump(&code);
	jump_if(&code, BPF_JEQ, PROTOCOL_V4, 1, 0);
	emit(&code, BPF_RET | BPF_K, spec->other);
	check_v4(&code, spec);
	emit(&code, BPF_LD | BPF_W | BPF_ABS, V4_SOURCE);
	/* The v6 part stands in the middle, as classic programs jump forwards only. */
	hashed = jump(&code);
	classic_land(&code, to_v6);
	check_v6(&code, spec);
	mapped = find_mapped(&code);
	hash_v6(&code, spec->settings);
	to_v6 = jump(&code);
	classic_land(&code, hashed);
	classic_land(&code, mapped);
	hash_v4(&code, spec->settings);
	classic_land(&code, to_v6);
	end_hash(&code);
	classic_table_emit(&code, spec->slots, spec->index);
	if (code.length > CLASSIC_PROGRAM_MAX)
		return -E2BIG;
	*ret_length = code.length;
	return 0;
}
