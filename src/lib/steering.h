/* SPDX-License-Identifier: MIT */
/*
 * Steering sends a listener's connections to their slots, by a BPF program and its maps. Only this
 * module and bpf_*.c know the maps. The other modules use listeners, slots and sockets.
 */
#ifndef STICKY_LIB_STEERING_H
#define STICKY_LIB_STEERING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bpf/abi.h"
#include "lib/bpf_access.h"
#include "lib/log.h"
#include "sticky.h"

struct steering;

/*
 * Open steering, without a listener.
 *
 * settings  copied; the table of its `slots` slots is computed here
 * access    copied
 * log       gets libbpf's messages while the program is loaded
 *
 * Returns 0, or what program_load() returns.
 */
int steering_open(const struct sticky_settings *settings, const struct bpf_access *access,
		  const struct log *log, struct steering **ret_steering);

/*
 * The same without the kernel: there is a table, but no program, and no listeners. Returns 0 or
 * -ENOMEM.
 */
int steering_open_user(const struct sticky_settings *settings, struct steering **ret_steering);

/* Does the kernel place connections? False for steering_open_user(). */
bool steering_is_kernel(const struct steering *steering);

/*
 * Pin the maps, so that they outlive this process. steering_close() removes the pins.
 *
 * directory  an existing one on a BPF file system, writable by no other user
 *
 * Returns 0 or -errno.
 */
int steering_pin(struct steering *steering, const char *directory);

/* The pins belong to another process: steering_close() does not remove them. */
void steering_leave_pins(struct steering *steering);

/*
 * Open steering on the maps that another process has pinned and left. The table in them is assumed
 * to be that of all slots, none of them away; the next steering_set_table() writes it in any case.
 *
 * Returns 0, -ENOENT (nothing is pinned there), -EPROTO (the pins are of another version), or an
 * error of steering_open().
 */
int steering_adopt(const char *directory, const struct bpf_access *access, const struct log *log,
		   struct steering **ret_steering);

/*
 * Take over the next listener of the previous process, in the order in which it added them.
 *
 * socket  bound to the listener's address; -1: there is none, and the listener gets no sockets
 *
 * Returns its index, or -ENOENT (the maps don't have this address), -EPROTO (the listener is not
 * the next one), -E2BIG or another -errno.
 */
int steering_adopt_listener(struct steering *steering, int socket);

/*
 * Put this process's program in the place of the one that steers a listener. It applies to the
 * whole group at once.
 *
 * socket  listening, in the listener's group, without SO_LOCK_FILTER
 */
int steering_attach(struct steering *steering, int socket);

/*
 * Read the cookie (SO_COOKIE) of the slot's present socket. Returns 0, or -ENOENT: the slot is
 * empty.
 */
int steering_cookie(const struct steering *steering, uint32_t listener, uint32_t slot,
		    uint64_t *ret_cookie);

/* Close program and maps. The caller closes the sockets. NULL is allowed. */
void steering_close(struct steering *steering);

/*
 * Steer a listener.
 *
 * first_socket  bound to a port by its number (see listener_bind_first()), and not listening yet.
 *               Sockets that join its group later inherit the program. If they attached it
 *               themselves before their listen(), that would fail.
 *
 * Needs no privilege from Linux 5.19 on, as the program is loaded already.
 *
 * Returns the listener's index, or -errno.
 */
int steering_add_listener(struct steering *steering, int first_socket);

/* Remove the listener that was added last. Its sockets must have been closed. */
void steering_remove_last_listener(struct steering *steering);

/*
 * Make a socket the slot's present one. The change is atomic: no connection finds the slot empty.
 * The previous socket still listens afterwards.
 *
 * Returns 0, -EINVAL (not listening, or not of this listener's group), -EBUSY (the socket is in the
 * map already), or another -errno.
 */
int steering_put(struct steering *steering, uint32_t listener, uint32_t slot, int socket);

/* Empty a slot. Returns 0 (also if it was empty) or -errno. */
int steering_empty(struct steering *steering, uint32_t listener, uint32_t slot);

/* Set the ranges whose connections go to dispatchers: see sticky_group_set_proxies(). */
int steering_set_proxies(struct steering *steering, const struct sticky_prefix *proxies,
			 size_t count, bool may_go_direct);

/* Set the number of dispatchers. Their sockets are in the entries from STICKY_SLOTS_MAX on. */
int steering_set_dispatchers(struct steering *steering, uint32_t count);

/*
 * Also send some of the other connections to dispatchers: one in `one_in`, which is a power of two,
 * or 0 for none.
 */
int steering_set_sample(struct steering *steering, uint32_t one_in);

/*
 * Make the program refuse the one connection that comes from this address and port: see check.c.
 *
 * source  AF_INET or AF_INET6; NULL: none any more
 */
int steering_set_check(struct steering *steering, const struct sockaddr *source);

/* Sum the counters over the CPUs. Returns 0 or -errno. */
int steering_count(struct steering *steering, struct sticky_cpu_counters *ret_sum);

/*
 * Change the number of slots, and which of them are away. The whole table is computed and replaced.
 * When this returns, no run of the program uses the previous table any more. That takes about 8 ms.
 *
 * is_away  `slots` elements
 *
 * Returns the number of buckets that moved, or -errno: the previous table stays.
 */
int steering_set_table(struct steering *steering, uint32_t slots, const bool *is_away);

/* The slot of a bucket in the table that the kernel has. */
uint32_t steering_slot_of(const struct steering *steering, uint32_t bucket);

/* The number of buckets that a slot has in the table that the kernel has. */
uint32_t steering_count_buckets(const struct steering *steering, uint32_t slot);

/* The settings that the kernel has. */
const struct sticky_settings *steering_settings(const struct steering *steering);

#endif
