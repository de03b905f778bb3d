/* SPDX-License-Identifier: MIT */
/* The messages of a worker. The backend calls these functions, whichever way a message came. */
#ifndef STICKY_SUPERVISE_WORKER_MESSAGES_H
#define STICKY_SUPERVISE_WORKER_MESSAGES_H

#include <stdbool.h>

#include "policy/end_reason.h"

struct worker;

/* The messages that a worker can send. */
enum worker_word {
	WORKER_SAYS_NOTHING_KNOWN,
	WORKER_SAYS_BEGUN, /* its program runs; there may be no other message */
	WORKER_SAYS_READY,
	WORKER_SAYS_STOPS,
	WORKER_SAYS_ALIVE,     /* for the watchdog */
	WORKER_SAYS_LISTENING, /* it listens on an address that clients connect to */
	WORKER_SAYS_MESSAGE    /* the message "ready" on Node.js's channel */
};

/* A worker has sent a message. From now on its messages decide when it is ready: see --ready. */
void worker_said(struct worker *worker, enum worker_word word);

/* The worker's program runs: execve() has succeeded. */
void worker_started(struct worker *worker);

/* The worker has been asked to stop: see stop() of worker_backend_ops. */
void worker_stop_requested(struct worker *worker);

/* The worker can't be used any more, for this reason: it is killed and replaced. */
void worker_lost(struct worker *worker, enum end_reason reason);

/*
 * What is still missing for the worker to be READY. It is used in the message if the worker never
 * becomes READY.
 *
 * what  copied; cut at 191 bytes
 * hint  what the user can do about it: static
 */
void worker_not_ready(struct worker *worker, const char *what, const char *hint);

/*
 * The worker does not listen on an address, and other workers get its clients there. Added to the
 * journal.
 *
 * had_it  the slot's previous worker listened there: a warning
 */
void worker_lacks_listener(struct worker *worker, const char *address, bool had_it);

/* The worker asks to be replaced. Does nothing if it is not READY in its slot. */
void worker_wants_out(struct worker *worker);

/* The worker's text about itself, for the status document. It is copied, and cut at 255 bytes. */
void worker_set_status(struct worker *worker, const char *status);

#endif
