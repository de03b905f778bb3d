/* SPDX-License-Identifier: MIT */
/*
 * The model: slots and workers, the lists that they are in, their records in the state file. The
 * files of supervise/ share it; the functions are those of slots.c and worker.c.
 */
#ifndef STICKY_SUPERVISE_SUPERVISE_INTERNAL_H
#define STICKY_SUPERVISE_SUPERVISE_INTERNAL_H

#include <jansson.h>

#include "rights/unix_path.h"
#include "common/log.h"
#include "handoff/channel_endpoint.h"
#include "handoff/hold_timeout.h"
#include "policy/end_reason.h"
#include "policy/hang_watch.h"
#include "policy/reload_plan.h"
#include "policy/restart_policy.h"
#include "supervise/supervisor_options.h"
#include "supervise/worker.h"
#include "policy/worker_fsm.h"

#define STATUS_SIZE    256
#define NOT_READY_SIZE 192

struct handshake_wait;	  /* handshake_wait.h */
struct foreign_listeners; /* foreign_listeners.h */
struct steering_watch;	  /* steering_watch.h */
struct hang;		  /* worker_hang.h */
struct hangup;		  /* socket_hangup.h */
struct kept_sockets;	  /* kept_sockets.h */
struct supervised_slot;
struct supervisor;
struct worker;

/*
 * Functions that report to the operations (reload, shutdown) what happened to a worker. The files
 * that start, hand over and end workers call these functions, and nothing else of the operations.
 */
struct lifecycle_hooks {
	/* The slot's worker has just become ready, and has the slot. */
	void (*ready)(struct supervised_slot *slot);
	/*
	 * A worker ended before it was ready. It is in no list any more, and is freed after this.
	 */
	void (*failed)(struct supervised_slot *slot, const struct worker *worker,
		       const struct run_exit *how);
	/*
	 * The first workers of all slots ended, and none was ready. worker: the last one, which is
	 * freed after this. how: how it ended.
	 */
	void (*start_failed)(struct supervisor *supervisor, const struct worker *worker,
			     const struct run_exit *how);
	/* A worker has ended and is freed. The next worker of its slot may have begun. */
	void (*gone)(struct supervisor *supervisor);
	/* No worker is left. */
	void (*empty)(struct supervisor *supervisor);
	/* The slot's worker is to be replaced, without a gap. why: text for the journal. */
	void (*wants_recycle)(struct supervised_slot *slot, const char *why);
};

/* A slot. It exists until the supervisor is closed, even if it is scaled away. */
struct supervised_slot {
	struct supervisor *supervisor;
	uint32_t index;
	enum slot_mode mode;	/* written by slot_set_mode() alone */
	uint64_t generation;	/* that of its last worker */
	struct worker *current; /* the worker that has the slot, or will have it first */
	struct worker *next;	/* a STARTING worker beside a READY `current` */
	/* workers that leave the slot, or have left it; the last one first */
	struct worker *draining;
	uint32_t draining_count; /* number of workers in `draining`; limited by --max-draining */
	struct event *restart;	 /* timer: until the slot's next worker begins */
	uint64_t restart_at_ms;
	uint32_t delay_ms;	       /* delay of the last restart, in ms; 0: there was none */
	int private_fd;		       /* the socket of its own address (--slot-listen); -1: none */
	struct unix_path private_path; /* the file of that socket */
	bool was_ready;		       /* a worker of it has been READY */
	bool first_worker_failed;      /* a worker ended before was_ready */
	bool begin_after_exit; /* old-first: the next worker begins when the draining one is gone */
	bool waits_for_room;   /* the next worker begins when fewer are draining */
	bool must_recycle;     /* its worker is too old or too large, or is to be restarted */
	struct restart_deaths deaths;
	/* For the status document. */
	uint64_t restarts;
	bool has_exit;
	struct run_exit last_exit;
	uint64_t last_lifetime_ms;
	uint64_t last_generation; /* that of the worker of last_exit */
	uint64_t recycles;
	const char *recycle_why; /* a text that stays valid; NULL: none was recycled */
	uint32_t killed;
};

/* One listening socket of a worker that has its slot. */
struct watched_socket {
	struct hang_watch watch;
	uint32_t limit;		  /* limit of its queue when the worker got the slot */
	bool was_held;		  /* at some look a process had it open */
	uint64_t next_check_ms;	  /* time of the next look at processes */
	uint64_t closed_since_ms; /* since when no process has it open; 0: one has */
	uint64_t next_options_ms; /* time of the next look at its options */
	int device;		  /* SO_BINDTOIFINDEX as it must be; 0: any */
	bool is_bound;		  /* the worker has bound it to another device */
};

/* Watches whether a worker that has its slot accepts connections: worker_hang.c. */
struct worker_hang {
	struct watched_socket sockets[STICKY_LISTENERS_LIMIT];
	struct hang_watch passed; /* connections that the controller passes to it */
	bool is_hung;		  /* one of these watches is hung, and that was reported */
	bool is_away;		  /* --on-hang=spill: the slot's clients go elsewhere */
	uint64_t cpu_ms;	  /* CPU time of its process at cpu_at_ms; see HANG_SPINS */
	uint64_t cpu_at_ms;
};

/* A worker, from its start until its process has ended. */
struct worker {
	struct supervised_slot *slot;
	struct worker *next_draining;
	struct sticky_worker *sockets; /* its listening sockets; NULL: it has left its slot */
	/*
	 * SO_COOKIE of each listening socket, kept when it has left its slot; 0: there is no socket
	 */
	uint64_t cookies[STICKY_LISTENERS_LIMIT];
	uint32_t not_held; /* bits: listeners whose sockets its process does not have */
	uint32_t excused;  /* bits: listeners, see worker_excuse() */
	/* the backend's object for this worker; NULL: it was not started yet */
	void *handle;
	enum worker_state state; /* written by worker_set_state() alone */
	bool has_slot;		 /* connections of the slot come to it */
	uint64_t generation;
	uint64_t started_ms;
	/* when its hard-shutdown delay is over; 0: the delay has not begun */
	uint64_t kill_at_ms;
	struct event *timer;	    /* for readiness while STARTING, the deadline while DRAINING */
	struct event *watchdog;	    /* timer; NULL: there is no watchdog */
	uint32_t watchdog_ms;	    /* the watchdog's time, as in its environment; 0: none */
	uint32_t serialization;	    /* enum node_serialization, as in its environment */
	struct event *lifetime;	    /* timer: --max-lifetime; NULL: no limit */
	struct worker_hang *hang;   /* NULL: it is not watched, as it does not have its slot */
	bool was_hung;		    /* it was hung when it left its slot */
	enum end_reason end_reason; /* why it is being ended; see worker_end_because() */
	uint64_t begun_ms;	    /* when it reported that its program runs; 0: it has not */
	bool speaks;		    /* it has sent a notification: it announces when it is ready */
	bool sent_alive;	    /* it has sent WATCHDOG=1 */
	bool stop_requested;	    /* it has been asked to stop */
	bool is_adopted;	    /* a previous controller has started it */
	struct channel_endpoint *channel; /* for passed connections; NULL: none are passed here */
	/* where its passed connections are sent; NULL: it takes none (yet) */
	struct worker_endpoint *endpoint;
	/* the worker's end of the channel, until its process has it; else -1 */
	int channel_end;
	/* an adopted worker that was started with the socket of its slot's own address */
	bool has_private;
	char begin_error[RUN_EXIT_TEXT_SIZE];  /* why it could not begin; "": only an errno is known
						*/
	char not_ready_reason[NOT_READY_SIZE]; /* what is missing for READY; "": not known */
	const char *not_ready_hint;	       /* what the user can do; NULL: the general hint */
	/* it does not use its sockets, and listens there instead; "": not so: unused_sockets.c */
	char listens_on[STICKY_ADDRESS_TEXT_SIZE];
	struct worker_record *record; /* in the state file; NULL: none */
	char status[STATUS_SIZE];
};

/* Sockets of a worker that has left its slot. They are closed when the table has been applied. */
struct leaving {
	struct leaving *next;
	struct sticky_worker *sockets;
	uint32_t slot;
};

struct supervisor {
	struct supervisor_options options;
	const struct lifecycle_hooks *hooks;
	const struct config *config;
	struct hold_timeout *hold_timeout;
	struct hangup *hangup;
	struct foreign_listeners *foreign; /* sockets of others at our ports */
	struct steering_watch *steering;   /* checks that the program is attached */
	struct hang *hang;		   /* watches workers that have their slot */
	struct handshake_wait *handshakes; /* waits for workers that leave their slot */
	struct kept_sockets *kept;	   /* looks at workers that have ended */
	struct reload reload;
	uint32_t reload_id; /* number of the reload that runs, or ran last */
	bool reload_queued;
	uint32_t waiting_id;  /* number of the last reload that had to wait */
	int reload_waits_for; /* slot for which the reload waits; -1: none */
	uint32_t drained_id;  /* number of the last reload whose old workers have all ended */
	bool took_over;	      /* it has taken over workers of a previous controller */
	bool stopping;
	uint64_t stop_at_ms;
	bool killed; /* during the stop a worker had to be killed after the hard-shutdown delay */
	bool start_failed;
	bool finished;
	bool workers_speak;	 /* a worker has become ready by a notification */
	bool workers_send_alive; /* a worker has sent WATCHDOG=1 */
	/* the last address that was reported to be a worker's listens_on; "": none */
	char unused_was_said[STICKY_ADDRESS_TEXT_SIZE];
	bool watchdog_was_said; /* it was reported that workers send no WATCHDOG=1 */
	uint32_t slot_count;
	uint32_t worker_count;
	uint32_t started_count; /* number of slots that have been ready */
	bool has_started;	/* all slots have been ready */
	uint64_t started_ms;
	struct event *flush; /* applies the table at the end of this turn of the loop */
	struct leaving *leaving;
	/* When the library's descriptor is readable, sticky_group_run() has work to do. */
	struct event *group_due;
	struct event *size_check;			   /* timer for --max-rss */
	struct supervised_slot *slots[STICKY_SLOTS_LIMIT]; /* NULL: never used */
};

static inline struct supervisor *supervisor_of(const struct worker *worker)
{
	return worker->slot->supervisor;
}

static inline const struct worker_backend *backend_of(const struct worker *worker)
{
	return &supervisor_of(worker)->options.backend;
}

static inline pid_t pid_of(const struct worker *worker)
{
	return worker->handle ? backend_of(worker)->ops->pid(worker->handle) : 0;
}

/*
 * Returns true if all workers of a slot share the slot's listening sockets. The queue then stays
 * with the slot. A worker that leaves the slot still gets connections until it has closed its
 * descriptors.
 */
static inline bool supervisor_shares_sockets(const struct supervisor *supervisor)
{
	uint32_t abilities = sticky_group_abilities(supervisor->options.group);

	return (abilities & STICKY_CAN_GIVE_SOCKETS) && !(abilities & STICKY_CAN_MOVE_QUEUES);
}

/* ---- slots.c ---------------------------------------------------------------------- */

/* Write a slot's mode, and record it in the state file. */
void slot_set_mode(struct supervised_slot *slot, enum slot_mode mode);

/* Record a slot's history in the state file. Does nothing if the file is not open. */
void slot_note(const struct supervised_slot *slot);

/* Count a worker that outlived the hard-shutdown delay, and record that. */
void slot_note_killed(struct supervised_slot *slot);

/* Put a worker that begins to leave its slot in the list of draining workers. */
void slot_move_to_draining(struct worker *worker);

/*
 * Take a worker that has ended out of every list of its slot. A worker that is in no list is
 * allowed.
 */
void slot_forget_worker(struct worker *worker);

/* Returns true if the slot has a worker, in whatever state. */
bool slot_has_worker(const struct supervised_slot *slot);

/* Returns true if every slot has been ready at least once. */
bool slots_all_were_ready(const struct supervisor *supervisor);

/*
 * Returns true if the first workers of all slots ended, none was ready, and the instance does not
 * stop.
 */
bool slots_all_failed_first(const struct supervisor *supervisor);

/* Apply the table at the end of this turn of the loop. */
void supervisor_flush_later(struct supervisor *supervisor);

/* Add an event to the journal, which takes ownership of `fields`. */
void supervisor_note(struct supervisor *supervisor, enum sticky_log_level level, const char *event,
		     json_t *fields);

/* ---- worker.c --------------------------------------------------------------------- */

/*
 * Set a worker's state, also in its record. No other function writes it. A worker that becomes
 * LEAVING or DRAINING moves to the list of draining workers.
 */
void worker_set_state(struct worker *worker, enum worker_state next);

/*
 * Keep why a worker is being ended, for the description of its end. The first reason is kept, as
 * later ones are consequences of it.
 */
void worker_end_because(struct worker *worker, enum end_reason reason);

/*
 * Add a worker's state to the journal.
 *
 * event  the name of the event that led to it; NULL: the worker has just begun
 */
void worker_note_state(const struct worker *worker, const char *event);

/* Returns slot, state, generation and pid of a worker for an event of the journal. */
json_t *worker_fields(const struct worker *worker);

/* Record a worker in the state file, for a controller that takes over. */
void worker_note(struct worker *worker);

/*
 * Returns true if a worker has listening sockets. It has none if connections are only passed to it.
 */
bool worker_has_sockets(const struct worker *worker);

/* Keep the cookies of the listening sockets that a worker has by now, also in its record. */
void worker_note_sockets(struct worker *worker);

/* Returns for how long a hung worker has accepted nothing, in ms; 0: it is not hung. */
uint64_t worker_hung_ms(const struct worker *worker, uint64_t now_ms);

/* Free a worker that is in no list, its timers and its handle. Its sockets must be closed. */
void worker_free(struct worker *worker);

#endif
