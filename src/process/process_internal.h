/* SPDX-License-Identifier: MIT */
/* One worker process, as the files of src/process use it. */
#ifndef STICKY_PROCESS_PROCESS_INTERNAL_H
#define STICKY_PROCESS_PROCESS_INTERNAL_H

#include "common/log_limit.h"
#include "process/notify.h"
#include "process/output.h"
#include "process/processes.h"
#include "process/spawn.h"
#include "process/survivors.h"
#include "process/worker_cgroup.h"
#include "procfs/oom_kills.h"

struct process {
	struct processes *processes;
	struct process *next;
	struct worker *worker;
	pid_t pid; /* also its process group's, unless the worker has moved to another group */
	bool reaped;
	/* tells that the program runs, or why not; -1: this has been reported */
	int status_fd;
	struct event *status_event;
	struct spawn_failure failure; /* stage SPAWN_STAGE_COUNT: none */
	int pidfd;		      /* of a process that a previous controller began; else -1 */
	uint64_t start;		      /* process_entry.start of such a process */
	struct event *pidfd_event;
	struct output_tail *tail; /* the last lines that it printed */
	/* the last lines of its stderr alone, which other output must not displace */
	struct output_tail *error_tail;
	struct output_source *output; /* NULL: the worker writes to our own stdout */
	struct output_source *error_output;
	struct node_worker *node; /* NULL: it is no Node.js worker */
	int node_end; /* the worker's end of the channel, until the worker has started; else -1 */
	struct bind_worker *bind; /* NULL: it has no filter */
	int filter_end; /* the child sends its filter's descriptor there; -1 once it has started */
	struct event *term; /* Node.js: timer of the stop signal */
	struct event
		*disconnect; /* Node.js: timer after which it is tried again to ask it to finish */
	uint32_t waited_ms;  /* the time of `disconnect` up to now */
	struct worker_cgroup cgroup; /* its own cgroup, if it has one */
	struct survivors survivors;  /* its processes outside of its group */
	/* Node.js: timer that looks whether it still runs although its channel has ended */
	struct event *linger;
	bool was_asked;	    /* Node.js: it was asked to finish */
	bool was_signalled; /* the stop signal was sent */
	/* a message was ignored that a process of this worker sent, which was logged */
	bool was_refused;
};

struct processes {
	struct processes_options options;
	struct process *list;
	struct event *child_event;
	struct notify *notify;
	struct oom_kills oom_kills;
	struct worker_cgroups_left cgroups_left;
	struct event *cgroups_event; /* timer after which it is tried again to remove these */
	uint64_t scan_again_ms; /* process_survivors.c: no scan before this time of clock_ms() */
	size_t begun;		/* bytes of lines that have no end yet */
	int null;		/* /dev/null, which a worker keeps in the place of a pipe */
	bool cannot_look;	/* workers' descriptors can't be read, which was logged */
	bool cannot_read;	/* workers can't read the scripts for Node.js, which was logged */
	struct log_limit refusals; /* of messages whose sender belongs to no worker */
};

/* ---- processes.c ---- */

/*
 * Make a process that has not been started, and put it in the list. Returns NULL if memory is
 * short.
 */
struct process *process_new(struct processes *processes, struct worker *worker);

/* Free a process that has ended, or was not started. The backend's release(). */
void process_release(void *handle);

/* Make the buffers of the last lines of its output. Returns 0 or -ENOMEM. */
int process_open_tails(struct process *process);

/* Send the stop signal to the leader of the group alone. The leader must stop its own children. */
void process_signal_stop(struct process *process);

/* ---- process_output.c ---- */

/*
 * Open the descriptors that become the worker's stdout and stderr: pipes that this process reads,
 * or duplicates of its own (--worker-log=inherit).
 *
 * ret_ends  set one by one, also if a later one fails; the caller closes them
 *
 * Returns 0 or -errno.
 */
int process_open_streams(struct process *process, int ret_ends[LOG_STREAM_COUNT]);

/* Read a stream of the worker from a pipe, which is taken over on success. Returns 0 or -errno. */
int process_open_source(struct process *process, int fd, enum log_stream stream,
			struct output_source **ret_source);

/* Returns the descriptor that the worker keeps of a stream for the next controller; see spawn.h. */
int process_kept_end(const struct process *process, const struct output_source *source);

/* ---- process_node.c: Node.js workers ---- */

/* Open the channel of a Node.js worker. Does nothing for other workers. Returns 0 or -errno. */
int process_open_node(struct process *process);

/*
 * Returns the path of a script that a Node.js worker loads. NULL: the worker loads none. This is
 * also the case if the worker can't read the file, as Node.js would not start then.
 */
const char *process_preload(const struct process *process, enum preload preload);

/* Close the controller's copy of the worker's end of the channel. */
void process_close_node_end(struct process *process);

/* Ask a Node.js worker to finish. Returns false if the stop signal must be sent instead. */
bool process_disconnect(struct process *process);

/*
 * Open the Node.js channel of an adopted worker.
 *
 * fd  the controller's end, which the worker has kept; taken over
 */
void process_adopt_node(struct process *process, int fd);

/* Close the Node.js channel and its timers. A process without them is allowed. */
void process_close_node(struct process *process);

/* ---- process_linger.c: Node.js workers whose channel has ended ---- */

/* Make the timer `linger`. Returns 0 or -ENOMEM. */
int process_open_linger(struct process *process);

/*
 * Handle the end of the channel. If the worker was asked to finish, start the timer `linger`: a
 * worker that does not end by itself then gets the stop signal. This is the callback `ended` of the
 * node_worker.
 */
void process_on_channel_end(void *context);

/* ---- process_cgroup.c ---- */

/* Remove what previous controllers of this name left. Returns 0 or -ENOMEM. */
int processes_open_cgroups(struct processes *processes);

/* Remove the cgroups of the workers, which have ended. */
void processes_close_cgroups(struct processes *processes);

/* Make the cgroup of a worker. Returns a descriptor for spawn_request.cgroup, or -1: it has none.
 */
int process_make_cgroup(struct process *process);

/* Find the cgroup of a worker that is taken over. */
void process_adopt_cgroup(struct process *process);

/* Remove the cgroup of a worker that has ended, at once or as soon as it is empty. */
void process_remove_cgroup(struct process *process);

/* ---- process_survivors.c ---- */

/* Look for processes of the worker that are outside of its group: it is about to be stopped. */
void process_look_for_survivors(struct process *process);

/* The worker has ended: log which of them live on. */
void process_report_survivors(struct process *process);

/* ---- process_events.c ---- */

/*
 * Read the child's report that its program runs, or why not. An event callback. context: the
 * process.
 */
void process_on_status(evutil_socket_t fd, short what, void *context);

/* Handle SIGCHLD. context: the processes. */
void process_on_child(evutil_socket_t signal, short what, void *context);

/* Handle a message of a worker. A notify_fn; context: the processes. */
void process_on_notify(void *context, pid_t sender, const struct notify_message *message);

/* Close the descriptor of the child's report. A process without it is allowed. */
void process_close_status(struct process *process);

/*
 * Send a signal to the worker's process alone. A process that has ended is allowed; any other
 * failure is logged.
 */
void process_signal(struct process *process, int signal);

/*
 * Kill the worker's process, and all processes of its group. The worker may have left the group, so
 * both are needed. If the worker has a cgroup of its own, all processes there are killed, too. A
 * failure is logged.
 */
void process_kill_all(struct process *process);

/* Kill what is left in the group of a worker whose own process has ended. A failure is logged. */
void process_kill_rest(struct process *process);

/* Reap all children that have ended: workers, and orphans if this is PID 1 of a container. */
void process_reap(struct processes *processes);

/* ---- process_adopt.c ---- */

/* Take over a worker process that a previous controller began. The backend's adopt(). */
int process_adopt(void *context, struct worker *worker, pid_t pid, int pidfd, void **ret_handle);

#endif
