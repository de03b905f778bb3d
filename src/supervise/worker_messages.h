/* SPDX-License-Identifier: MIT */
/* What a worker says: the backend calls these functions, by whichever channel it came. */
#ifndef STICKY_SUPERVISE_WORKER_MESSAGES_H
#define STICKY_SUPERVISE_WORKER_MESSAGES_H

#include <stdbool.h>

#include "supervise/end_reason.h"

struct worker;

/* What a worker can say. */
enum worker_word {
	WORKER_SAYS_NOTHING_KNOWN,
	WORKER_SAYS_BEGUN, /* its program runs; it may never say more */
	WORKER_SAYS_READY,
	WORKER_SAYS_STOPS,
	WORKER_SAYS_ALIVE,     /* for the watchdog */
	WORKER_SAYS_LISTENING, /* on an address that clients come to */
	WORKER_SAYS_MESSAGE    /* "ready", by Node.js's channel */
};

/* A worker has said something. Its readiness then depends on what it says: see --ready. */
void worker_said(struct worker *worker, enum worker_word word);

/* The worker's program runs: execve() has succeeded. */
void worker_started(struct worker *worker);

/* The worker has been asked to stop: see stop() of worker_backend_ops. */
void worker_stop_requested(struct worker *worker);

/* The worker can't be used any more, for this reason: it is killed, and replaced. */
void worker_lost(struct worker *worker, enum end_reason reason);

/*
 * What the worker still has to do to be READY, for the description of one that never was.
 *
 * what  copied; cut at 191 bytes
 * hint  what to do about it: static
 */
void worker_not_ready(struct worker *worker, const char *what, const char *hint);

/*
 * The worker does not listen on an address, and other workers get its clients there. Added to the
 * journal.
 *
 * had_it  the slot's previous worker listened there: a warning
 */
void worker_lacks_listener(struct worker *worker, const char *address, bool had_it);

/* The worker asks to be replaced. Nothing where it is not READY in its slot. */
void worker_wants_out(struct worker *worker);

/* The worker's text about itself, for the status document. It is copied, and cut at 255 bytes. */
void worker_set_status(struct worker *worker, const char *status);

#endif
