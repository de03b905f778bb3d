/* SPDX-License-Identifier: MIT */
/* The supervisor's inside: slots and lives, as supervisor.c, lives.c, lifespan.c, adoption.c and
 * orders.c share them. */
#ifndef STICKY_SUPERVISE_LIVES_H
#define STICKY_SUPERVISE_LIVES_H

#include "handoff/channel_endpoint.h"
#include "handoff/hold_timeout.h"
#include "supervise/socket_hangup.h"
#include "supervise/supervisor.h"

#define STATUS_SIZE 256
#define LACKS_SIZE  192

struct slot_state {
	struct supervisor *supervisor;
	uint32_t index;
	enum slot_mode mode;	 /* written by slot_set_mode() alone */
	uint64_t generation;	 /* of its last life */
	struct worker *current;	 /* has the slot, or will be the first to have it */
	struct worker *next;	 /* STARTING beside a READY current */
	struct worker *draining; /* former lives; at most one that was not told to end */
	struct event *restart;	 /* runs while it waits for its next life */
	uint64_t restart_at_ms;
	uint32_t delay_ms; /* before the present life; 0: it was the first one */
	int private_fd;	   /* --slot-listen; -1: none */
	bool was_ready;
	bool first_life_failed;
	bool begin_after_exit; /* old-first: its next life begins when the draining one is gone */
	bool must_recycle;     /* its life is too old, or too large */
	struct pool_deaths deaths;
	/* For status. */
	uint64_t restarts;
	bool has_exit;
	struct run_exit last_exit;
	uint64_t last_lifetime_ms;
	uint32_t killed;
};

struct worker {
	struct slot_state *slot;
	struct worker *next_draining;
	struct sticky_worker *life; /* NULL: has left its slot */
	void *run;
	enum worker_state state; /* written by set_state() alone */
	bool has_slot;
	uint64_t generation;
	uint64_t started_ms;
	struct event *timer;	/* readiness while STARTING, the deadline while DRAINING */
	struct event *watchdog; /* NULL: none wanted */
	uint32_t watchdog_ms;	/* as the worker was told: another --watchdog is for later ones */
	struct event *lifetime; /* NULL: no limit */
	uint64_t begun_ms;	/* when it said that its program runs; 0: it did not */
	bool speaks;		/* it has sent a notification */
	bool was_told;		/* to stop, politely: nobody is told twice */
	bool timed_out;		/* it was killed as it did not get ready */
	bool fell_silent;
	struct channel_endpoint *channel; /* NULL: nothing is passed on here */
	struct worker_endpoint *outlet;	  /* of passed connections; NULL: it takes none (yet) */
	int channel_end;		  /* the worker's, until its process has it; else -1 */
	bool takes_none;		  /* connections are passed here, and it takes none */
	const char *lost;		  /* why it can't be used any more; NULL */
	bool has_private;		  /* adopted: it began with its slot's own socket */
	bool takes_no_more;		  /* it has closed its channel, and serves on */
	char lacks[LACKS_SIZE];		  /* what it has yet to do to be READY; "": see below */
	const char *lacks_hint;		  /* NULL: the word that --ready=notify waits for */
	bool is_deaf;		    /* its sockets could not get the slot: they do not listen */
	struct life_record *record; /* NULL: none */
	char status[STATUS_SIZE];
};

/* A life whose sockets are closed once the table was applied. */
struct leaving {
	struct leaving *next;
	struct sticky_worker *life;
	uint32_t slot;
};

struct supervisor {
	struct supervisor_options options;
	const struct config *config;
	struct hold_timeout *standin;
	struct hangup *hangup;
	struct reload reload;
	uint32_t reload_id; /* of the reload that runs, or ran last */
	bool reload_queued;
	uint32_t drained_id; /* of the last reload whose former lives have all ended */
	bool took_over;	     /* lives of a former controller */
	bool stopping;
	uint64_t stop_at_ms;
	bool killed; /* somebody outlived the hard-shutdown delay */
	bool start_failed;
	bool finished;
	bool workers_speak; /* a former life became ready by a notification */
	uint32_t slot_count;
	uint32_t worker_count;
	uint32_t started_count; /* slots that have been ready */
	bool has_started;	/* all of them */
	uint64_t started_ms;
	struct event *flush; /* the table is stale, or lives are leaving: at the end of the turn */
	struct leaving *leaving;
	struct event *group_due;		      /* the library has sockets to close */
	struct event *size_check;		      /* --max-rss; NULL: off */
	struct slot_state *slots[STICKY_SLOTS_LIMIT]; /* NULL: never used */
};

/* ---- Of a worker ------------------------------------------------------------------ */

static inline struct supervisor *supervisor_of(const struct worker *worker)
{
	return worker->slot->supervisor;
}

static inline const struct runner *runner_of(const struct worker *worker)
{
	return &supervisor_of(worker)->options.runner;
}

static inline pid_t pid_of(const struct worker *worker)
{
	return worker->run ? runner_of(worker)->ops->pid(worker->run) : 0;
}

/* ---- lives.c ---- */

/* An event of a worker's. The one place that steps through pool.h's table. */
void life_apply(struct worker *worker, enum worker_event event);

/* Its state, as a line of the log and an event; on: what led to it, NULL: its beginning. */
void life_note_state(const struct worker *worker, const char *on);

/* Who it is, for an event of the journal: slot, state, generation, pid. */
json_t *life_fields(const struct worker *worker);

/* The stand-in answers a slot's clients from now on, unless the instance stops. Logs a failure. */
void supervisor_hold(struct supervisor *supervisor, uint32_t slot);

/* It is in no list of its slot any more. */
void life_forget(struct worker *worker);

/* A worker that has its slot: is it to be told of when its sockets end, or not any more? */
void life_watch_sockets(struct worker *worker, bool watch);

/* For hangup_open(): a worker's listening socket has ended. */
void life_on_hangup(void *who);

/* One of its lives outlived the hard-shutdown delay. */
void slot_note_killed(struct slot_state *slot);

/* The slot's next life begins after the delay that its last one's lifetime calls for. */
void slot_schedule_restart(struct slot_state *slot, uint64_t lifetime_ms);

/* ---- lifespan.c ---- */

/* Begin a life in a slot: its current one, or the next where the current one is READY. */
void life_begin(struct slot_state *slot);

/* A worker without a run and sockets yet; watchdog_ms 0: none. NULL: out of memory. */
struct worker *life_new(struct slot_state *slot, uint32_t watchdog_ms);
void life_free(struct worker *worker);

/* Note a life for a controller that takes over. */
void life_note(struct worker *worker);

/*
 * --backlog, for its queues: a worker's own listen() has set the limit of its program, 511 in
 * Node.js, which a moment without the processor fills. listen() again sets nothing but that.
 */
void life_restore_backlog(const struct worker *worker);

/* Note what sockets it has by now. */
void life_note_sockets(struct worker *worker);

/* The slot's next life begins at once, where it is to have one and has none. */
void slot_fill(struct slot_state *slot);

/* Write a slot's mode, and note it for a controller that takes over. */
void slot_set_mode(struct slot_state *slot, enum slot_mode mode);

/* Note a slot's history for a controller that takes over. */
void slot_note(const struct slot_state *slot);

/* ---- supervisor.c ---- */

void supervisor_finish_if_empty(struct supervisor *supervisor);

/* The first lives of all slots ended, none was ready: tell the user, and end. */
void supervisor_fail_start(struct supervisor *supervisor, const struct worker *worker,
			   const struct run_exit *how);
bool supervisor_has_start_failed(const struct supervisor *supervisor);

/* Apply the table at the end of this turn of the loop. */
void supervisor_flush_later(struct supervisor *supervisor);

/* The slot's private socket, where it is to have one and has none. As slotsocket_open(). */
int slot_open_socket(struct slot_state *slot, size_t error_size, char *ret_error);
void slot_close_socket(struct slot_state *slot);

/* Make a slot that is new. Returns 0 or -ENOMEM. */
int supervisor_add_slot(struct supervisor *supervisor, uint32_t index);

/* ---- passing.c: workers that connections are passed to ---- */

/* A channel for a life that begins, where connections are passed on here. Returns 0 or -errno. */
int life_open_channel(struct worker *worker);

/* Its process has its end by now, or never will. */
void life_close_channel_end(struct worker *worker);

/* Has it said that it takes connections? True where none are passed on here. */
bool life_channel_speaks(struct worker *worker);

/* The worker gets its slot's connections. */
void life_channel_take_slot(struct worker *worker);

void life_channel_leave_slot(struct worker *worker);

/* Connections that wait for it, or are on their way. */
uint32_t life_channel_queue(const struct worker *worker);

/* ---- orders.c ---- */

/* What became of a slot's new life: a reload may be waiting for it. */
void orders_note_ready(struct slot_state *slot);
void orders_note_failed(struct slot_state *slot, const struct worker *worker,
			const struct run_exit *how);

/* A former life is gone. */
void orders_note_gone(struct supervisor *supervisor);

/* Slots that have nobody get a life by the reload path. */
void orders_fill(struct supervisor *supervisor);

/* A slot wants a new life by the reload path. */
void orders_recycle(struct slot_state *slot, const char *why);

/* Nothing is to be reloaded any more: everything stops. */
void orders_abandon(struct supervisor *supervisor);

#endif
