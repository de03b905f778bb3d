/* SPDX-License-Identifier: MIT */
/*
 * Generates the classic BPF program of a listener. Pure.
 *
 * A classic program (bpf(4), SO_ATTACH_REUSEPORT_CBPF in socket(7)) needs no privilege. It has no
 * maps: seed, masks and table are constants in it, and every change is a new program. It returns
 * the index of a socket in its group (socket_order.h). It computes what bpf/select.h computes, so
 * that a client has the same slot as with the BPF program.
 */
#ifndef STICKY_ENGINE_CLASSIC_PROGRAM_H
#define STICKY_ENGINE_CLASSIC_PROGRAM_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi.h"

/* The length of the longest program that the kernel takes: BPF_MAXINSNS of linux/bpf_common.h. */
#define CLASSIC_PROGRAM_MAX 4096

/*
 * The number of ports from which the test connections of a listener come. Without a program the
 * kernel's hash chooses the socket of each one. With two sockets in the group, all of them get to
 * the spare one in 1 of 256 groups, and with five sockets in 1 of 390,625.
 */
#define CLASSIC_CHECK_PORTS 8

/* Where the test connections of src/lib/check.c come from, in network order. */
struct classic_check {
	bool has_v4; /* there are some from the address v4 */
	bool has_v6; /* the same, for v6 */
	uint32_t v4;
	uint32_t v6[4];
	uint16_t ports[CLASSIC_CHECK_PORTS];
};

struct classic_spec {
	const struct sticky_settings *settings; /* seed and masks */
	const uint16_t *slots;			/* STICKY_BUCKETS elements: the slot of a bucket */
	const uint16_t *index;			/* for each slot in `slots`, its socket's index */
	/* index of the socket for packets that are neither IPv4 nor IPv6, and for the check */
	uint16_t other;
	bool refuses;		    /* every connection goes to `other`; the table is not used */
	struct classic_check check; /* connections from there go to `other` */
};

/*
 * Generate a program.
 *
 * ret_code    room for CLASSIC_PROGRAM_MAX instructions; undefined after a failure
 * ret_length  number of instructions
 *
 * Returns 0 or -E2BIG: the table has too many intervals. Costs one walk through the table.
 */
int classic_program_make(const struct classic_spec *spec, struct sock_filter *ret_code,
			 uint32_t *ret_length);

#endif
