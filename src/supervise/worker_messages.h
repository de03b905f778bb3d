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

/*
 * Handle a message of a worker. After a message other than WORKER_SAYS_BEGUN, the worker's messages
 * decide when it is ready: see --ready.
 */
void worker_said(struct worker *worker, enum worker_word word);

/* Note that the worker's program runs: execve() has succeeded. */
void worker_started(struct worker *worker);

/* Note that the worker has been asked to stop: see stop() of worker_backend_ops. */
void worker_stop_requested(struct worker *worker);

/* Kill a worker that can't be used any more, for this reason. The slot gets another worker. */
void worker_lost(struct worker *worker, enum end_reason reason);

/*
 * Note why the worker can't begin, where an errno does not say it. It is called by start() of
 * worker_backend_ops, which then fails.
 *
 * why  a file that can't be used, and what is wrong with it; copied
 */
void worker_cannot_begin(struct worker *worker, const char *why);

/*
 * Note what is still missing for the worker to be READY. If it never becomes READY, the message
 * about its end contains this.
 *
 * what  copied; cut at 191 bytes
 * hint  what the user can do about it: static
 */
void worker_not_ready(struct worker *worker, const char *what, const char *hint);

/*
 * Add to the journal that the worker does not listen on an address, and that other workers get its
 * clients there.
 *
 * had_it  the slot's previous worker listened there: this is a warning
 */
void worker_lacks_listener(struct worker *worker, const char *address, bool had_it);

/* Replace a worker that asks for it. Does nothing if the worker is not READY in its slot. */
void worker_wants_out(struct worker *worker);

/*
 * Set the worker's text about itself, for the status document. It is copied, and cut at 255 bytes.
 */
void worker_set_status(struct worker *worker, const char *status);

#endif
