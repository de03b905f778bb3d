/* SPDX-License-Identifier: MIT */
/*
 * Where clients belong, in a copy of the table that is read without a lock: threads that look
 * clients up wait neither for each other nor for one that changes the group, which takes
 * milliseconds.
 *
 * There are two tables. One is in force, and a change is written into the other one, which then
 * takes its place. A look-up reads one element. If it was delayed for so long that its table is
 * being written once more, it gets the slot before that change or after it, and both are right. A
 * copy of a whole table is made again if `version` says that this has happened. An element is
 * written with "release", after the version before it: a reader that sees the element also sees
 * that version.
 */
#ifndef STICKY_LIB_LOOKUP_H
#define STICKY_LIB_LOOKUP_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bpf/select.h"

struct lookup {
	struct sticky_settings settings; /* only the seed and the masks, which never change */
	_Atomic uint32_t version;	 /* number of changes: tables[version % 2] is in force */
	_Atomic uint16_t tables[2][STICKY_BUCKETS];
};

/* The result of a look-up. */
struct lookup_result {
	uint32_t bucket, slot;
	struct sticky_key key;
};

struct sticky_group;

/* Take the seed, the masks and the table of a group that no other thread has yet. */
void lookup_begin(struct sticky_group *group);

/* Copy the table that the group has now. The group must be locked. */
void lookup_refresh(struct sticky_group *group);

/* Find the slot of a client. Makes no system call. Returns 0 or -EAFNOSUPPORT. */
int lookup_find(const struct sticky_group *group, const struct sockaddr *client,
		struct lookup_result *ret_result);

/* Copy the table: see sticky_group_table(). */
void lookup_copy(const struct sticky_group *group, uint16_t ret_slots[STICKY_BUCKETS]);

#endif
