/* SPDX-License-Identifier: MIT */
/* The options of a supervisor, and the modes of a slot. */
#ifndef STICKY_SUPERVISE_SUPERVISOR_OPTIONS_H
#define STICKY_SUPERVISE_SUPERVISOR_OPTIONS_H

#include <event2/event.h>
#include <stdint.h>

#include "common/journal.h"
#include "rights/user_rights.h"
#include "config/config.h"
#include "handoff/delivery.h"
#include "handoff/hold_timeout.h"
#include "state/state_file.h"
#include "sticky.h"
#include "supervise/worker_backend.h"

struct supervisor;

/* How an instance ended. */
enum supervisor_result {
	SUPERVISOR_STOPPED,	/* as asked, and every worker ended by itself */
	SUPERVISOR_KILLED,	/* as asked, but a worker outlived the hard-shutdown delay */
	SUPERVISOR_START_FAILED /* no slot became ready at the first start */
};

/*
 * Called once, when the supervisor stops and no worker is left. The function may end the loop, but
 * must not close the supervisor, which is still in use.
 *
 * context  as in supervisor_options
 */
typedef void supervisor_finished_fn(void *context, enum supervisor_result result);

struct supervisor_options {
	struct event_base *base;
	struct sticky_group *group; /* with its listeners */
	struct worker_backend backend;
	struct journal *journal;
	const struct config *config; /* times and modes; see supervisor_set_config() */
	/*
	 * counters of connections that the controller accepted from holding sockets, and answered
	 * with an error
	 */
	struct hold_timeout_counters held;
	/* passes the connections that the controller accepts to workers; NULL: it accepts none */
	struct delivery *delivery;
	const struct user_rights *rights; /* of the workers' user */
	struct state_file *state_file;	  /* where workers are recorded; may be not open */
	supervisor_finished_fn *finished;
	void *context; /* argument of finished() */
};

/* The mode of a slot. */
enum slot_mode {
	SLOT_ENABLED, /* it has a worker */
	SLOT_DRAINED, /* it has none, as the operator asked */
	SLOT_FAILED,  /* it has none, as too many of its workers died (--restart-limit) */
	SLOT_REMOVED, /* scaled away; its last workers are draining */
	SLOT_MODE_COUNT
};

#endif
