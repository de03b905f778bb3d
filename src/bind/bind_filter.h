/* SPDX-License-Identifier: MIT */
/*
 * The seccomp filter of a worker that binds its address itself. It stops bind() and listen(), so
 * that the controller can answer them (seccomp_unotify(2)), and allows every other system call.
 * Pure.
 */
#ifndef STICKY_BIND_BIND_FILTER_H
#define STICKY_BIND_BIND_FILTER_H

#include <linux/filter.h>
#include <stddef.h>

#define BIND_FILTER_MAX 20

/*
 * The lengths of an address with which a bind() is stopped: from struct sockaddr_in to struct
 * sockaddr_storage. Shorter addresses are those of netlink sockets, one of which each getaddrinfo()
 * binds.
 */
#define BIND_FILTER_LENGTH_MIN 16
#define BIND_FILTER_LENGTH_MAX 128

/*
 * Write the filter. It knows the system calls of x86_64 and aarch64. Calls by another interface of
 * the same machine (32-bit programs, x32) are allowed.
 *
 * Returns the number of instructions.
 */
size_t bind_filter_build(struct sock_filter ret_program[BIND_FILTER_MAX]);

#endif
