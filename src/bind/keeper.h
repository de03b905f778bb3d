/* SPDX-License-Identifier: MIT */
/* The controller's side of the keeper: see keeper_process.h. */
#ifndef STICKY_BIND_KEEPER_H
#define STICKY_BIND_KEEPER_H

#include <event2/event.h>
#include <stdint.h>
#include <sys/types.h>

struct keeper_link;

/*
 * Open the link to the keeper that a previous controller left. If there is none, start one.
 *
 * path  of the keeper's socket
 * lost  called when the keeper has ended: its descriptors must be given to another one, see
 *       keeper_restart()
 *
 * Returns 0 or -errno.
 */
int keeper_open(struct event_base *base, const char *path, void (*lost)(void *context),
		void *context, struct keeper_link **ret_link);

/* Start another keeper, in the place of one that has ended. Returns 0 or -errno. */
int keeper_restart(struct keeper_link *link);

/* Close the link. The keeper ends when no process with a filter is left. NULL is allowed. */
void keeper_close(struct keeper_link *link);

/*
 * Give the keeper a duplicate of a filter's descriptor. This process answers the filter's calls.
 * May wait for the keeper, for a second at most.
 *
 * pid  of the worker
 *
 * Returns 0 or -errno.
 */
int keeper_keep(struct keeper_link *link, pid_t pid, int fd);

/*
 * Get the descriptor of the filter of a worker that a previous controller started. This process
 * answers the filter's calls from now on. Waits for the keeper, for a second at most.
 *
 * Returns the descriptor; -ENOENT: the keeper has none; or another -errno.
 */
int keeper_claim(struct keeper_link *link, pid_t pid);

/*
 * Tell the keeper that a call was received from a worker's filter. If this process ends before it
 * answers, the keeper lets the kernel do the call, as no other process could receive the call
 * again.
 */
void keeper_note_call(struct keeper_link *link, pid_t pid, uint64_t id);

/* Let the keeper answer a worker's calls from now on. This process closes its own descriptor. */
void keeper_let_go(struct keeper_link *link, pid_t pid);

#endif
