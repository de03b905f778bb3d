// SPDX-License-Identifier: MIT
#include "bind/bind_filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdint.h>

/* The numbers of the system calls, by the interface that the caller uses. */
static const struct {
	uint32_t arch;
	uint32_t bind, listen;
} interfaces[] = {
	{AUDIT_ARCH_X86_64, 49, 50},
	{AUDIT_ARCH_AARCH64, 200, 201},
};

#define INTERFACES     (sizeof(interfaces) / sizeof(interfaces[0]))
#define FIELD(member)  ((uint32_t)offsetof(struct seccomp_data, member))
#define INTERFACE_SIZE 5 /* number of instructions of add_interface() */

/*
 * Positions in the tail, which follows the interfaces. It looks at the length of bind()'s address,
 * and holds the results.
 */
enum tail { TAIL_ALLOW, TAIL_LENGTH, TAIL_NOTIFY = TAIL_LENGTH + 3 };

static struct sock_filter load(uint32_t field)
{
	return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, field);
}

static struct sock_filter jump(uint16_t condition, uint32_t value, size_t if_true, size_t if_false)
{
	return (struct sock_filter)BPF_JUMP(BPF_JMP | condition | BPF_K, value, (uint8_t)if_true,
					    (uint8_t)if_false);
}

static struct sock_filter give(uint32_t result)
{
	return (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, result);
}

/*
 * Write the instructions of an interface. left: the number of instructions between them and the
 * tail.
 */
static void add_interface(struct sock_filter *at, size_t i, size_t left)
{
	at[0] = jump(BPF_JEQ, interfaces[i].arch, 0, INTERFACE_SIZE - 1);
	at[1] = load(FIELD(nr));
	at[2] = jump(BPF_JEQ, interfaces[i].bind, 2 + left + TAIL_LENGTH, 0);
	at[3] = jump(BPF_JEQ, interfaces[i].listen, 1 + left + TAIL_NOTIFY, 0);
	at[4] = give(SECCOMP_RET_ALLOW);
}

/*
 * Write the tail. The kernel reads only the low half of the third argument, as an int. Both
 * machines are little endian.
 */
static void add_tail(struct sock_filter *at)
{
	at[TAIL_ALLOW] = give(SECCOMP_RET_ALLOW);
	at[TAIL_LENGTH] = load(FIELD(args[2]));
	at[TAIL_LENGTH + 1] = jump(BPF_JGE, BIND_FILTER_LENGTH_MIN, 0, 2);
	at[TAIL_LENGTH + 2] = jump(BPF_JGT, BIND_FILTER_LENGTH_MAX, 1, 0);
	at[TAIL_NOTIFY] = give(SECCOMP_RET_USER_NOTIF);
	at[TAIL_NOTIFY + 1] = give(SECCOMP_RET_ALLOW);
}

size_t bind_filter_build(struct sock_filter ret_program[BIND_FILTER_MAX])
{
	size_t tail = 1 + INTERFACES * INTERFACE_SIZE, i;

	_Static_assert(1 + INTERFACES * INTERFACE_SIZE + TAIL_NOTIFY + 2 <= BIND_FILTER_MAX,
		       "room for all instructions");
	ret_program[0] = load(FIELD(arch));
	for (i = 0; i < INTERFACES; i++)
		add_interface(ret_program + 1 + i * INTERFACE_SIZE, i,
			      (INTERFACES - 1 - i) * INTERFACE_SIZE);
	add_tail(ret_program + tail);
	return tail + TAIL_NOTIFY + 2;
}
