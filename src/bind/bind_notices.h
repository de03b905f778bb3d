/* SPDX-License-Identifier: MIT */
/* Messages about addresses that workers bind, each of which is logged once. */
#ifndef STICKY_BIND_BIND_NOTICES_H
#define STICKY_BIND_BIND_NOTICES_H

#include <stdint.h>
#include <sys/types.h>

struct bind_caller;
struct bind_workers;

/*
 * Log that a server asked for IPv4, if it got a socket of both families. Most servers do not mind.
 *
 * fd  the socket that it got
 */
void bind_note_family(struct bind_workers *workers, const struct bind_caller *caller, int fd);

/*
 * Log that a worker listens on an address that is not steered. The user may want this (a port for
 * metrics), or -l names another port by mistake.
 */
void bind_note_elsewhere(struct bind_workers *workers, uint32_t slot, pid_t pid, int socket);

#endif
