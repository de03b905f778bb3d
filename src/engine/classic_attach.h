/* SPDX-License-Identifier: MIT */
/* Attaches classic programs, and finds out which ones this machine takes. */
#ifndef STICKY_ENGINE_CLASSIC_ATTACH_H
#define STICKY_ENGINE_CLASSIC_ATTACH_H

#include <stdint.h>

#include "engine/classic_program.h"

struct classic_program {
	int error; /* of classic_program_make(); 0: the program can be attached */
	uint32_t length;
	struct sock_filter code[CLASSIC_PROGRAM_MAX];
};

/*
 * Attach a program to the group of a socket. The program applies to the whole group at once, in the
 * place of the previous one.
 *
 * socket  without SO_LOCK_FILTER; it listens in the group, or is bound and does not listen yet
 *
 * Returns 0, or
 *   -E2BIG       the program is larger than net.core.optmem_max allows
 *   -EOPNOTSUPP  this kernel has no SO_ATTACH_REUSEPORT_CBPF, or a filter refuses it
 *   others       errors of setsockopt(2)
 */
int classic_attach(int socket, const struct classic_program *program);

/*
 * Find out whether this machine takes the program of a table of `slots` slots, by a socket that is
 * closed again. Returns 0, or an error of classic_attach() or socket(2).
 */
int classic_attach_try(uint32_t slots);

#endif
