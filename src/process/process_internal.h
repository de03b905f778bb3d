/* SPDX-License-Identifier: MIT */
/* One worker process: its inside, as processes.c, process_end.c and process_adopt.c share it. */
#ifndef STICKY_PROCESS_PROCESS_INTERNAL_H
#define STICKY_PROCESS_PROCESS_INTERNAL_H

#include "process/notify.h"
#include "process/output.h"
#include "process/processes.h"
#include "process/spawn.h"

#define PREFIX_SIZE 32

struct process {
	struct processes *processes;
	struct process *next;
	struct worker *worker;
	pid_t pid; /* and process group */
	bool reaped;
	int status_fd; /* -1: it runs its program, or said why not */
	struct event *status_event;
	struct spawn_failure failure; /* stage SPAWN_STAGE_COUNT: none */
	int pidfd;		      /* of one that a former controller began; else -1 */
	struct event *pidfd_event;
	struct output_tail *tail;	/* of what it printed */
	struct output_tail *error_tail; /* its complaints, which a flood of output must not hide */
	struct output_source *output;
	struct output_source *error_output;
	struct node_worker *node; /* NULL: it is none of Node.js */
	int node_end;		  /* its end of the channel, until it has it; else -1 */
	struct event *term;	  /* Node.js: when the stop signal follows */
	struct event *disconnect; /* Node.js: when it is looked again whether it can be told */
	uint32_t waited_ms;	  /* until then, since it was to be */
};

struct processes {
	struct processes_options options;
	struct process *list;
	struct event *child_event;
	struct notify *notify;
	struct output_sink *output;
	struct output_sink *error_output;
	bool cannot_look; /* at workers' descriptors, which was said */
};

/* ---- processes.c ---- */

/* One that does not run yet, in the list. NULL: out of memory. */
struct process *process_new(struct processes *processes, struct worker *worker);

/* It is nobody's any more. The runner's operation. */
void process_release(void *handle);

/* What stands before each line of its output. */
void process_make_prefix(const struct process *process, char prefix[PREFIX_SIZE]);

/* Where the last lines of its output are kept. Returns 0 or -ENOMEM. */
int process_open_tails(struct process *process);

/* The stop signal, to the leader alone: it knows how its own children are to be stopped. */
void process_signal_stop(struct process *process);

/* ---- process_node.c: Node.js workers ---- */

/* Its channel. Returns 0 or -errno; 0 too where it is no Node.js worker. */
int process_open_node(struct process *process);

/* It has its end by now, or never will. */
void process_close_node_end(struct process *process);

/* Ask it to finish. Returns false where the stop signal is to be sent instead. */
bool process_disconnect(struct process *process);

/* What of ours it keeps, of its number: as a former controller left it. */
void process_adopt_node(struct process *process, int fd);

void process_close_node(struct process *process);

/* ---- process_end.c ---- */

/* For the descriptor on which it says that its program runs, or why not. */
void process_on_status(evutil_socket_t fd, short what, void *context);

/* For SIGCHLD, with the processes as the context. */
void process_on_child(evutil_socket_t signal, short what, void *context);

/* For notify_open(), the same. */
void process_on_notify(void *context, pid_t group, const struct notify_message *message);

void process_close_status(struct process *process);

/* SIGKILL and others to all of its group. */
void process_kill_group(struct process *process, int signal);

/* All that ended by now: workers, and as PID 1 of a container others' orphans. */
void process_reap(struct processes *processes);

/* ---- process_adopt.c ---- */

/* One that a former controller began. The runner's operation. */
int process_adopt(void *context, struct worker *worker, pid_t pid, int pidfd, void **ret_handle);

#endif
