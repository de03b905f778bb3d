/* SPDX-License-Identifier: MIT */
/*
 * The supervisor: keeps a life in each slot. It turns what happens (a worker is ready, a
 * process ended, a timer ran out) into pool.h's events, and does the actions that follow.
 */
#ifndef STICKY_CONTROLLER_SUPERVISOR_H
#define STICKY_CONTROLLER_SUPERVISOR_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "pool.h"
#include "runner.h"
#include "sticky.h"

struct supervisor;

/* How the whole thing ended. */
enum supervisor_result {
	SUPERVISOR_STOPPED,	/* as asked, everybody by himself */
	SUPERVISOR_KILLED,	/* as asked, but somebody outlived the hard-shutdown delay */
	SUPERVISOR_START_FAILED /* no slot got ready at the first start */
};

/* Called once, when no worker is left. It ends the loop; what it was called from goes on for a bit.
 */
typedef void supervisor_finished_fn(void *context, enum supervisor_result result);

struct supervisor_options {
	struct event_base *base;
	struct sticky_group *group; /* with its listeners */
	struct runner runner;
	enum ready_mode ready;
	uint32_t min_uptime_ms;
	uint32_t ready_timeout_ms;
	uint32_t hard_shutdown_delay_ms;
	supervisor_finished_fn *finished;
	void *context;
};

/* One slot, for status. */
struct slot_view {
	bool has_worker; /* false: waiting for its next life, and what follows is unset */
	enum worker_state state;
	pid_t pid;
	uint64_t generation;
	uint64_t uptime_ms;
	const char *status; /* STATUS= of the worker; "" */
	void *run;
};

struct slot_history {
	uint64_t restarts;
	bool has_exit; /* a life of the slot ended already */
	struct run_exit last_exit;
	uint64_t last_lifetime_ms;
	uint32_t restart_in_ms; /* while it waits */
};

/* Returns 0 or -ENOMEM. */
int supervisor_open(const struct supervisor_options *options, struct supervisor **ret_supervisor);

/* All workers must be gone. NULL is allowed. */
void supervisor_close(struct supervisor *supervisor);

/* Begin the first life in each slot. */
void supervisor_start(struct supervisor *supervisor);

/*
 * End all lives: politely first, by SIGKILL after the hard-shutdown delay.
 * now  at once; may follow a polite stop
 */
void supervisor_stop(struct supervisor *supervisor, bool now);

bool supervisor_is_stopping(const struct supervisor *supervisor);

/* Every slot has been ready at least once. */
bool supervisor_has_started(const struct supervisor *supervisor);

void supervisor_view_slot(const struct supervisor *supervisor, uint32_t slot,
			  struct slot_view *ret_view, struct slot_history *ret_history);

/* What runners tell. The worker runs, e.g. its program was found. */
void supervisor_worker_started(struct worker *worker);

/* It speaks of its readiness, and has said: ready (or something else, where !is_ready). */
void supervisor_worker_spoke(struct worker *worker, bool is_ready);

/* Its words about itself: shown in status. Cut at 255 bytes. */
void supervisor_worker_status(struct worker *worker, const char *status);

/* Its life is over; nothing of it is left. The worker and its run are freed by this. */
void supervisor_worker_exited(struct worker *worker, const struct run_exit *how);

/* Of a worker: what a runner needs to know. */
uint32_t worker_slot(const struct worker *worker);
uint64_t worker_generation(const struct worker *worker);

#endif
