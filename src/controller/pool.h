/* SPDX-License-Identifier: MIT */
/*
 * The life of a worker as a table: state x event -> next state, actions. Pure: time is a
 * parameter, and what an action does is the supervisor's business.
 */
#ifndef STICKY_CONTROLLER_POOL_H
#define STICKY_CONTROLLER_POOL_H

#include <stdint.h>

enum worker_state {
	WORKER_STARTING, /* runs, nobody is sent to it */
	WORKER_READY,	 /* has the slot */
	WORKER_DRAINING, /* was asked to stop, and finishes what it has */
	WORKER_GONE,	 /* ended */
	WORKER_STATE_COUNT
};

enum worker_event {
	WORKER_BECAME_READY, /* it said so, or lived for min-uptime where it says nothing */
	WORKER_TIMED_OUT,    /* not ready within ready-timeout */
	WORKER_ASKED_TO_STOP,
	WORKER_MUST_END, /* the hard-shutdown delay is over, or a fast stop */
	WORKER_EXITED,	 /* its process (or thread) ended */
	WORKER_EVENT_COUNT
};

/* What to do, in this order. */
enum worker_action {
	ACTION_TAKE_SLOT = 1 << 0,	/* the slot changes hands to it */
	ACTION_STOP_POLITELY = 1 << 1,	/* ask it to finish */
	ACTION_START_DEADLINE = 1 << 2, /* the hard-shutdown delay runs from now */
	ACTION_KILL = 1 << 3,		/* SIGKILL to its process group */
	ACTION_LEAVE_SLOT = 1 << 4,	/* its sockets are closed; a slot that it had is held */
	ACTION_RESTART = 1 << 5,	/* it ended unasked: the slot's next life, after a delay */
};

struct worker_step {
	enum worker_state next;
	unsigned int actions; /* enum worker_action, or-ed */
};

/* What follows an event. */
struct worker_step pool_step(enum worker_state state, enum worker_event event);

/* "starting", "ready", "draining", "gone" */
const char *pool_state_name(enum worker_state state);

/* "became_ready", ... */
const char *pool_event_name(enum worker_event event);

/*
 * How long to wait before a slot's next life, in ms: 100, doubling up to 30,000 while lives
 * are shorter than min_uptime_ms.
 *
 * former_ms    the delay before the life that ended; 0: none
 * lifetime_ms  of that life
 */
uint32_t pool_restart_delay(uint32_t former_ms, uint64_t lifetime_ms, uint64_t min_uptime_ms);

#endif
