/* SPDX-License-Identifier: MIT */
/*
 * A group, one slot of it that changes hands, and the clients of that slot who wait in
 * line the while. Main thread only: it fails the test.
 */
#ifndef TESTS_SUPPORT_SCENE_H
#define TESTS_SUPPORT_SCENE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sticky.h"
#include "waiting.h"

#define SCENE_SLOTS 4
#define SCENE_SLOT  2 /* the one that changes hands */

struct scene {
	struct sticky_group *group;
	struct sockaddr_storage server; /* where its clients connect to */
	struct waiting line;
};

/* family  of the clients, who come to the first listener */
struct scene scene_start(const char *address, sa_family_t family);

/* Let so many more clients of the slot queue up. */
void scene_add(struct scene *scene, uint32_t count);

/* A new life in the slot, not ready. */
struct sticky_worker *scene_worker(struct scene *scene);

/* Are so many in the slot's present queue, and is that a holding socket's? */
void scene_check(struct scene *scene, bool holding, uint32_t queue);

/* Everybody in line was served, nobody in all of the scene was refused or sent astray. */
void scene_end(struct scene *scene);

#endif
