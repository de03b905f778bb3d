/* SPDX-License-Identifier: MIT */
/*
 * The supervisor: keeps a life in each slot. It turns what happens (a worker is ready, a
 * process ended, a timer ran out, a user asks) into pool.h's events, and does the actions
 * that follow.
 */
#ifndef STICKY_SUPERVISE_SUPERVISOR_H
#define STICKY_SUPERVISE_SUPERVISOR_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "handoff/delivery.h"
#include "common/journal.h"
#include "supervise/worker_fsm.h"
#include "supervise/reload_plan.h"
#include "supervise/worker_backend.h"
#include "state/state_file.h"
#include "sticky.h"

struct supervisor;

/* How the whole thing ended. */
enum supervisor_result {
	SUPERVISOR_STOPPED,	/* as asked, everybody by himself */
	SUPERVISOR_KILLED,	/* as asked, but somebody outlived the hard-shutdown delay */
	SUPERVISOR_START_FAILED /* no slot got ready at the first start */
};

/* Called once, when no worker is left. It ends the loop; what it was called from goes on. */
typedef void supervisor_finished_fn(void *context, enum supervisor_result result);

struct supervisor_options {
	struct event_base *base;
	struct sticky_group *group; /* with its listeners */
	struct runner runner;
	struct journal *journal;
	const struct config *config; /* times and modes; see supervisor_set_config() */
	uint64_t *answered;	     /* counts clients that were answered in place of a worker */
	struct delivery *delivery;   /* of connections that we accept; NULL: we accept none */
	struct slotsfile *slotsfile; /* where it is noted who lives; may be not open */
	supervisor_finished_fn *finished;
	void *context;
};

/* What a slot is to do. */
enum slot_mode {
	SLOT_ENABLED, /* a worker is kept in it */
	SLOT_DRAINED, /* none, by the operator's wish */
	SLOT_FAILED,  /* none, as too many of its workers died (--restart-limit) */
	SLOT_REMOVED, /* scaled away; its last lives are draining */
	SLOT_MODE_COUNT
};

/* One slot, for status. */
struct slot_view {
	enum slot_mode mode;
	bool has_worker; /* false: the slot waits, or is to have none; then what follows is unset */
	enum worker_state state;
	pid_t pid;
	uint64_t generation;
	uint64_t uptime_ms;
	const char *status; /* STATUS= of the worker; "" */
	void *run;
	uint32_t draining; /* former lives that have not ended yet */
	uint64_t restarts;
	bool has_exit; /* a life of the slot ended already */
	struct run_exit last_exit;
	uint64_t last_lifetime_ms;
	uint32_t restart_in_ms; /* while it waits */
	uint32_t killed;	/* lives that outlived the hard-shutdown delay */
};

/* Returns 0 or -ENOMEM. */
int supervisor_open(const struct supervisor_options *options, struct supervisor **ret_supervisor);

/* All workers must be gone. NULL is allowed. */
void supervisor_close(struct supervisor *supervisor);

/* Other times and modes from now on; the config stays the caller's. */
void supervisor_set_config(struct supervisor *supervisor, const struct config *config);

/* A life that a former controller began, for supervisor_adopt(). */
struct adopted_life {
	struct life_record record;
	int pidfd;			 /* taken over */
	int fds[STICKY_LISTENERS_LIMIT]; /* its listening sockets, where it is READY; else -1 */
	int private_fd;			 /* its slot's own; -1: none */
};

/*
 * Take over a slot's history, then lives that are READY or DRAINING, before supervisor_start().
 * Returns 0 or -errno: it can't be taken over; its process is killed.
 */
void supervisor_adopt_slot(struct supervisor *supervisor, uint32_t slot,
			   const struct slot_record *record);
int supervisor_adopt(struct supervisor *supervisor, struct adopted_life *life);

/*
 * Open the slots' private sockets (--slot-listen), those that no adopted life had.
 * Returns 0 or -errno, with the reason.
 */
int supervisor_open_slot_sockets(struct supervisor *supervisor, size_t error_size, char *ret_error);

/* A listener was added: slots that are held are watched there too. */
void supervisor_listeners_changed(struct supervisor *supervisor);

/* Begin a life in each slot that has none. */
void supervisor_start(struct supervisor *supervisor);

/*
 * End all lives: politely first, by SIGKILL after the hard-shutdown delay.
 * now  at once; may follow a polite stop
 */
void supervisor_stop(struct supervisor *supervisor, bool now);

bool supervisor_is_stopping(const struct supervisor *supervisor);

/* Every slot has been ready at least once. */
bool supervisor_has_started(const struct supervisor *supervisor);

/* ---- What users ask for. -EINVAL: no such slot; -EBUSY: it stops; see also each. ---- */

/* A rolling reload. Returns 0: begun; 1: queued behind the one that runs; -EBUSY. */
int supervisor_reload(struct supervisor *supervisor);

/* The number of the reload that runs, or ran last: 1, 2, ... */
uint32_t supervisor_reload_id(const struct supervisor *supervisor);

const struct reload *supervisor_reload_view(const struct supervisor *supervisor);

/* Another number of slots. Returns the buckets that moved, or as sticky_group_set_slots(). */
int supervisor_scale(struct supervisor *supervisor, uint32_t slots);

/* No worker in the slot any more; its clients wait, or go elsewhere, by --when-down. */
int supervisor_drain(struct supervisor *supervisor, uint32_t slot);

/* The opposite, also of `failed`. */
int supervisor_ready(struct supervisor *supervisor, uint32_t slot);

/* A new life in the slot, by the reload path, behind a reload that runs. -EPERM: drained. */
int supervisor_restart(struct supervisor *supervisor, uint32_t slot);

/*
 * May this process be replaced by a newer version now? Not while a slot is held, or a life is
 * about to begin: clients that wait with us would be lost.
 * Returns 0, or -EBUSY, with the reason.
 */
int supervisor_may_leave(const struct supervisor *supervisor, char *ret_error, size_t error_size);

uint32_t supervisor_slots(const struct supervisor *supervisor);

void supervisor_view_slot(const struct supervisor *supervisor, uint32_t slot,
			  struct slot_view *ret_view);

/* "waiting", "drained", "failed", or the worker's state. */
const char *slot_view_state(const struct slot_view *view);

/* ---- What runners tell --------------------------------------------------------------- */

/* The worker runs, e.g. its program was found. */
void supervisor_worker_started(struct worker *worker);

/* What a worker can say. */
enum worker_word {
	WORKER_SAYS_NOTHING_KNOWN,
	WORKER_SAYS_BEGUN, /* its program runs; it may never say more */
	WORKER_SAYS_READY,
	WORKER_SAYS_STOPS,
	WORKER_SAYS_ALIVE,
	WORKER_SAYS_LISTENING, /* where clients come to */
	WORKER_SAYS_MESSAGE    /* "ready", by Node.js's channel */
};

/* It speaks of its readiness, and has said something. */
void supervisor_worker_said(struct worker *worker, enum worker_word word);

/* It takes passed connections, by this outlet. */
void supervisor_worker_takes_passed(struct worker *worker, struct worker_endpoint *outlet);

/* It has been told to stop: see the runner's stop(). */
void supervisor_worker_told(struct worker *worker);

/* It can't be used any more: it is replaced. why: static, for its end's description. */
void supervisor_worker_lost(struct worker *worker, const char *why);

/*
 * What it still has to do to be READY, for the description of one that never was.
 *
 * hint  what to do about it: static
 */
void supervisor_worker_lacks(struct worker *worker, const char *what, const char *hint);

/* It asks for a successor. */
void supervisor_worker_wants_out(struct worker *worker);

/* Its words about itself: shown in status. Cut at 255 bytes. */
void supervisor_worker_status(struct worker *worker, const char *status);

/* Its life is over; nothing of it is left. The worker and its run are freed by this. */
void supervisor_worker_exited(struct worker *worker, const struct run_exit *how);

#define WORKER_CHANNEL_ENDS 2

/*
 * The channel that a worker's process is to have: its own end, and ours, which it keeps for a
 * controller that takes over. False: none.
 */
bool worker_channel_ends(const struct worker *worker, int ret_ends[WORKER_CHANNEL_ENDS]);

/* Our end, as a former controller left it with the worker; taken over. Returns 0 or -errno. */
int supervisor_worker_channel(struct worker *worker, int fd);

/* Its sockets. */
struct sticky_worker *worker_life(const struct worker *worker);

/* Another life, which is READY, has its slot. */
bool worker_is_superseded(const struct worker *worker);

/* Its slot's private socket; -1: none. */
int worker_private_fd(const struct worker *worker);

/* Of one that was taken over: was it given that socket, which its other descriptors lie behind? */
bool worker_began_with_private(const struct worker *worker);

/* Of a worker: what a runner needs to know. */
uint32_t worker_slot(const struct worker *worker);
uint64_t worker_generation(const struct worker *worker);

/*
 * Where a child writes its pid before it runs the worker's program, in memory that it shares with
 * us: should we be killed meanwhile, it is not forgotten. NULL: nowhere.
 */
int32_t *worker_noted_pid(struct worker *worker);

#endif
