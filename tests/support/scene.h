/* SPDX-License-Identifier: MIT */
/*
 * A group, one slot of it whose worker is replaced, and clients of that slot that wait meanwhile.
 * The functions fail the test on an error. They must therefore be called from the main thread.
 */
#ifndef TESTS_SUPPORT_SCENE_H
#define TESTS_SUPPORT_SCENE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sticky.h"
#include "waiting.h"

#define SCENE_SLOTS 4
#define SCENE_SLOT  2 /* the slot whose worker is replaced */

struct scene {
	struct sticky_group *group;
	struct sockaddr_storage server; /* the address to which its clients connect */
	struct waiting line;
};

/*
 * Start a group.
 *
 * family  of the clients, which connect to the first listener
 */
struct scene scene_start(const char *address, sa_family_t family);

/* Let this many more clients of the slot connect and wait. */
void scene_add(struct scene *scene, uint32_t count);

/* Open another worker of the slot. The worker is not ready. */
struct sticky_worker *scene_worker(struct scene *scene);

/*
 * Check the number of connections in the slot's present queue, and whether that queue belongs to a
 * holding socket.
 */
void scene_check(struct scene *scene, bool holding, uint32_t queue);

/*
 * Check that all waiting clients were served, and that no client was refused or served by another
 * slot. Close the group.
 */
void scene_end(struct scene *scene);

#endif
