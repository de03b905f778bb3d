/* SPDX-License-Identifier: MIT */
/*
 * Where clients belong, in a copy of the table that has a lock of its own: a thread that looks a
 * client up does not wait for one that changes the group, which takes milliseconds.
 */
#ifndef STICKY_LIB_LOOKUP_H
#define STICKY_LIB_LOOKUP_H

#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bpf/select.h"

struct lookup_table {
	struct sticky_settings settings;
	uint16_t slots[STICKY_BUCKETS];
};

struct lookup {
	pthread_mutex_t lock; /* protects `present` and the table that it names */
	uint32_t present;
	struct lookup_table tables[2];
};

/* The result of a look-up. */
struct lookup_result {
	uint32_t bucket, slot;
	struct sticky_settings settings;
	struct sticky_key key;
};

struct sticky_group;

/* Copy the table that the group has now. The group must be locked. */
void lookup_refresh(struct sticky_group *group);

/*
 * Find the slot of a client. Makes no system call. ret_result: only `slot` is filled in, unless
 * wants_all.
 *
 * Returns 0 or -EAFNOSUPPORT.
 */
int lookup_find(struct sticky_group *group, const struct sockaddr *client, int wants_all,
		struct lookup_result *ret_result);

/* Copy the table: see sticky_group_table(). */
void lookup_copy(struct sticky_group *group, uint16_t ret_slots[STICKY_BUCKETS]);

#endif
