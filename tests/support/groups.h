/* SPDX-License-Identifier: MIT */
/*
 * Groups and their workers, in functions that are short to call in a test. If the library returns
 * an error, the functions fail the test. They must therefore be called from its main thread.
 */
#ifndef TESTS_SUPPORT_GROUPS_H
#define TESTS_SUPPORT_GROUPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sticky.h"

/* Options with a seed that is always the same. Warnings of the library go to stderr. */
struct sticky_group_options group_options(uint32_t slots);

/* Open a group that listens on an address. */
struct sticky_group *group_start(uint32_t slots, const char *address);

/* Is this machine without IPv6? Tests that need IPv6 are skipped then. */
bool group_lacks_v6(void);

/* The port of a listener, in host order. */
uint16_t group_port(struct sticky_group *group, uint32_t listener);

/*
 * The address at which a client on this machine reaches a listener: 127.0.0.1 or ::1, and its port.
 */
struct sockaddr_storage group_server(struct sticky_group *group, uint32_t listener,
				     sa_family_t family);

/* The slot of a client, as sticky_group_where() computes it. */
uint32_t group_slot_of(struct sticky_group *group, const struct sockaddr_storage *client);

/*
 * The number of the first client, counted from `number` on (see client_address()), that belongs to
 * a slot.
 */
uint32_t group_client_of_slot(struct sticky_group *group, sa_family_t family, uint32_t slot,
			      uint32_t number);

struct sticky_counters group_counters(struct sticky_group *group);

struct sticky_slot_info group_slot_info(struct sticky_group *group, uint32_t slot);

/* Wait until this many connections are in a slot's queue. Returns 0 or -ETIMEDOUT. */
int group_wait_queue(struct sticky_group *group, uint32_t slot, uint32_t queue);

/* Open a worker, and make it ready. */
struct sticky_worker *worker_start(struct sticky_group *group, uint32_t slot);

/* Open a worker in each slot, and make it ready. */
void workers_start(struct sticky_group *group, struct sticky_worker **ret_workers);

void workers_close(struct sticky_group *group, struct sticky_worker **workers);

/*
 * Accept a connection that comes to any of the workers.
 *
 * workers     one for each slot
 * ret_worker  the index in `workers` of the one that accepted
 *
 * Returns the connection, or -ETIMEDOUT.
 */
int workers_accept(struct sticky_worker *const *workers, uint32_t count, uint32_t listener,
		   uint32_t *ret_worker);

/* Connect a client. Returns the slot of the worker that gets the connection. */
uint32_t workers_slot_of_arrival(struct sticky_worker *const *workers, uint32_t count,
				 uint32_t listener, const struct sockaddr_storage *source,
				 const struct sockaddr_storage *server);

/*
 * Connect clients (client_address()) to a group with a worker in each slot. Returns how many of the
 * connections come to a worker that does not own the client.
 */
uint32_t group_count_moved(struct sticky_group *group, struct sticky_worker *const *workers,
			   uint32_t listener, sa_family_t family, uint32_t clients);

/* Is the accept queue of a listening socket empty? */
bool nothing_waits(int listening);

/*
 * Accept and close the connections that wait at each worker's first listener. One of them may be
 * the test connection of sticky_group_check(), which was reset.
 */
void workers_drain(struct sticky_worker *const *workers, uint32_t count);

#endif
