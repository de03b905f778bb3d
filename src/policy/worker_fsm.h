/* SPDX-License-Identifier: MIT */
/*
 * The state machine of a worker as a table: state x event -> next state, actions. Pure:
 * slot_handover.c does the actions.
 */
#ifndef STICKY_POLICY_WORKER_FSM_H
#define STICKY_POLICY_WORKER_FSM_H

#include <stdbool.h>
#include <stdint.h>

enum worker_state {
	WORKER_STARTING, /* it runs, and gets no connections */
	WORKER_READY,	 /* has the slot */
	WORKER_DRAINING, /* has left the slot, and finishes its connections */
	WORKER_GONE,	 /* ended */
	/*
	 * Another worker has the slot, or none has. The worker still accepts on its own sockets,
	 * until the handshakes that began there are over. (This is the last number, as the others
	 * are in state files.)
	 */
	WORKER_LEAVING,
	WORKER_STATE_COUNT
};

enum worker_event {
	WORKER_BECAME_READY,	/* it said so, or lived for min-uptime where it says nothing */
	WORKER_REFUSED,		/* it can't have the slot: its sockets do not listen, e.g. */
	WORKER_TIMED_OUT,	/* not ready within ready-timeout */
	WORKER_SUPERSEDED,	/* the slot's next worker has it by now */
	WORKER_ASKED_TO_STOP,	/* drain, scale, stop: no worker follows */
	WORKER_HANDSHAKES_OVER, /* none is left on the sockets of a LEAVING worker, or too late */
	WORKER_SAYS_STOPPING,	/* STOPPING=1: it stops by itself */
	WORKER_FELL_SILENT,	/* no WATCHDOG=1 for too long */
	WORKER_CLOSED_SOCKET,	/* it closed its listening socket, and goes on */
	WORKER_MUST_END,	/* the hard-shutdown delay is over, or a fast stop */
	WORKER_EXITED,		/* its process (or thread) ended */
	WORKER_EVENT_COUNT
};

/* Actions, which are done in the order of the bits. */
enum worker_action {
	ACTION_TAKE_SLOT = 1 << 0,  /* give it the slot; if that fails: WORKER_REFUSED */
	ACTION_YIELD_SLOT = 1 << 1, /* no handshake begins on its sockets from now on */
	/* close the controller's duplicates; if it had the slot, hold the slot */
	ACTION_LEAVE_SLOT = 1 << 2,
	ACTION_STOP_POLITELY = 1 << 3,	/* ask it to finish */
	ACTION_START_DEADLINE = 1 << 4, /* start the hard-shutdown delay */
	ACTION_KILL = 1 << 5,		/* SIGKILL to its process group */
	ACTION_REPLACE = 1 << 6,	/* start the slot's next worker at once */
	ACTION_RESTART = 1 << 7,	/* start the slot's next worker after a delay */
};

struct worker_step {
	enum worker_state next;
	unsigned int actions; /* a set of enum worker_action */
};

/* Returns the next state and the actions for an event in a state. */
struct worker_step worker_fsm_step(enum worker_state state, enum worker_event event);

/* Returns "starting", "ready", "leaving", "draining" or "gone". */
const char *worker_state_name(enum worker_state state);

/* Returns the name of an event for the journal: "became_ready", ... */
const char *worker_event_name(enum worker_event event);

#endif
