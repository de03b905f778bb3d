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
	 * Another worker has the slot, or none has. This worker still accepts on its own sockets,
	 * until the handshakes that began there are over. (It has the last number, as state files
	 * contain the numbers of the other states.)
	 */
	WORKER_LEAVING,
	WORKER_STATE_COUNT
};

enum worker_event {
	WORKER_BECAME_READY,	/* it announced that, or --min-uptime is over: see --ready */
	WORKER_REFUSED,		/* it can't get the slot: its sockets do not listen, for example */
	WORKER_TIMED_OUT,	/* it was not ready within --ready-timeout */
	WORKER_SUPERSEDED,	/* the slot's next worker has got the slot */
	WORKER_ASKED_TO_STOP,	/* by drain, scale or stop, or before its successor begins */
	WORKER_HANDSHAKES_OVER, /* no handshake is left on its sockets, or the wait timed out */
	WORKER_SAYS_STOPPING,	/* STOPPING=1: it stops by itself */
	WORKER_FELL_SILENT,	/* it sent no WATCHDOG=1 for too long */
	WORKER_CLOSED_SOCKET,	/* it closed its listening socket, and runs on */
	WORKER_MUST_END,	/* the hard-shutdown delay is over, or a fast stop */
	WORKER_EXITED,		/* its process (or thread) ended */
	WORKER_EVENT_COUNT
};

/* Actions, which are done in the order of the bits. */
enum worker_action {
	ACTION_TAKE_SLOT = 1 << 0,  /* give the worker the slot; if that fails: WORKER_REFUSED */
	ACTION_YIELD_SLOT = 1 << 1, /* let no handshake begin on its sockets from now on */
	/* close the controller's duplicates of its sockets; if it had the slot, hold the slot */
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
