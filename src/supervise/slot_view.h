/* SPDX-License-Identifier: MIT */
/* The state of a slot, for the status document. */
#ifndef STICKY_SUPERVISE_SLOT_VIEW_H
#define STICKY_SUPERVISE_SLOT_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervise/supervisor_options.h"
#include "supervise/worker_backend.h"
#include "policy/worker_fsm.h"

/* One slot at one moment. */
struct slot_view {
	enum slot_mode mode;
	bool has_worker; /* false: the next nine members are unset */
	enum worker_state state;
	pid_t pid; /* 0: its process has not begun */
	uint64_t generation;
	uint64_t uptime_ms;
	uint64_t hung_ms;	      /* how long it has accepted nothing that waits; 0: not hung */
	const char *status;	      /* the worker's STATUS=; "": none */
	const char *not_ready_reason; /* what it lacks while it starts; "": it is not known */
	const char *not_ready_hint;   /* what can be done about it; NULL: it is not known */
	void *handle;		      /* for worker_backend_ops; NULL: its process has not begun */
	uint32_t draining;	      /* workers that have left the slot, and have not ended yet */
	uint64_t restarts;
	bool has_exit; /* a worker of the slot has ended: the next three members are set */
	struct run_exit last_exit;
	uint64_t last_lifetime_ms;
	uint64_t last_generation;
	uint64_t recycles;	 /* workers that were replaced: see rolling_reload_recycle() */
	const char *recycle_why; /* reason for the last of them; NULL: none */
	uint32_t restart_in_ms;	 /* until the next worker begins; 0: none is scheduled */
	uint32_t killed;	 /* workers that outlived the hard-shutdown delay */
};

/*
 * Look at a slot.
 *
 * slot      less than supervisor_slots()
 * ret_view  its pointers are valid until the loop goes on
 *
 * The view shows the worker that has the slot or will have it first, else the last one that left
 * it.
 */
void slot_view_read(const struct supervisor *supervisor, uint32_t slot, struct slot_view *ret_view);

/*
 * Returns the listeners that no READY worker has open, one bit each. A Node.js application may have
 * closed a port, or a reload may have taken it away. While no worker is READY, none is closed.
 */
uint32_t closed_listeners(const struct supervisor *supervisor);

/* A worker that leaves its slot, or has left it. */
struct draining_view {
	uint32_t slot;
	enum worker_state state; /* WORKER_LEAVING or WORKER_DRAINING */
	pid_t pid;		 /* 0: its process has not begun */
	uint64_t generation;
	uint64_t kill_in_ms; /* until it is killed; 0: its deadline has not begun, or is over */
	void *handle;	     /* for worker_backend_ops; NULL: its process has not begun */
};

/* Returns the number of draining workers of all slots, including slots that were scaled away. */
uint32_t draining_count(const struct supervisor *supervisor);

/*
 * Look at draining workers, at most `room` of them, slot by slot and the last one first. Returns
 * their number.
 */
uint32_t draining_read(const struct supervisor *supervisor, uint32_t room,
		       struct draining_view *ret_views);

/* Returns "waiting", "drained", "failed", "hung", or the name of the worker's state: static. */
const char *slot_view_state(const struct slot_view *view);

#endif
