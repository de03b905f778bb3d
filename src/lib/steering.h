/* SPDX-License-Identifier: MIT */
/*
 * Steering: what makes a listener's connections go to their slots. The one module that
 * knows how (a BPF program, its maps, libbpf); everybody else speaks of listeners,
 * slots and sockets.
 */
#ifndef STICKY_LIB_STEERING_H
#define STICKY_LIB_STEERING_H

#include <stdint.h>

#include "../../bpf/abi.h"
#include "log.h"

struct steering;

/*
 * Set steering up, without a listener.
 *
 * settings  copied; its table of `slots` slots is computed here
 * log       copied
 *
 * Returns 0, or -EPERM (no CAP_BPF), -EOPNOTSUPP (kernel too old), -ENOMEM, ...
 */
int steering_open(const struct sticky_settings *settings, const struct log *log,
		  struct steering **ret_steering);

/* End it: programs and maps. Sockets are the caller's. NULL is allowed. */
void steering_close(struct steering *steering);

/*
 * Steer a listener.
 *
 * first_socket  bound, not yet listening. Sockets that join its group later inherit
 *               the program; an attach before their own listen() would make that fail.
 *
 * Returns the listener's index, or -errno.
 */
int steering_add_listener(struct steering *steering, int first_socket);

/* Forget the listener that was added last. Its sockets must have been closed. */
void steering_remove_last_listener(struct steering *steering);

/*
 * Make a socket the slot's present one: atomic, no connection sees the slot empty. The
 * former socket stays listening.
 * Returns 0, -EINVAL (not listening, or not of this listener's group), -EBUSY (it has a place
 * already), ...
 */
int steering_put(struct steering *steering, uint32_t listener, uint32_t slot, int socket);

/* Empty a slot. Returns 0 (also where it was empty) or -errno. */
int steering_empty(struct steering *steering, uint32_t listener, uint32_t slot);

/*
 * Send connections from one source port to one slot, whatever their address: for the
 * library's own wake-up connections. Port 0 (network order) ends it.
 */
int steering_set_wake(struct steering *steering, uint16_t port, uint32_t slot);

/* Sum the counters over the CPUs. Returns 0 or -errno. */
int steering_count(struct steering *steering, struct sticky_cpu_counters *ret_sum);

/* Start counting from 0: for what was counted before anybody could connect. */
int steering_reset_counters(struct steering *steering);

/* The slot of a bucket, as the kernel has it. */
uint32_t steering_slot_of(const struct steering *steering, uint32_t bucket);

/* The settings, as the kernel has them. */
const struct sticky_settings *steering_settings(const struct steering *steering);

#endif
