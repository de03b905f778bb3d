/* SPDX-License-Identifier: MIT */
/* One worker process, as the files of process/ share it. */
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
	int pidfd;		      /* of one that a previous controller began; else -1 */
	struct event *pidfd_event;
	struct output_tail *tail;	/* of what it printed */
	struct output_tail *error_tail; /* its complaints, which a flood of output must not hide */
	struct output_source *output;
	struct output_source *error_output;
	struct node_worker *node; /* NULL: it is none of Node.js */
	int node_end;		  /* its end of the channel, until it has it; else -1 */
	struct bind_worker *bind; /* NULL: it has no filter */
	int filter_end;	    /* where it sends its filter's descriptor to, until it has begun */
	struct event *term; /* Node.js: when the stop signal follows */
	struct event *disconnect; /* Node.js: until it is tried again to ask it to finish */
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

/* Make a process that has not begun, and put it in the list. Returns NULL where memory is short. */
struct process *process_new(struct processes *processes, struct worker *worker);

/* Free a process that has ended. The backend's release(). */
void process_release(void *handle);

/* Write the prefix of each line of its output. */
void process_make_prefix(const struct process *process, char prefix[PREFIX_SIZE]);

/* Make the buffers of the last lines of its output. Returns 0 or -ENOMEM. */
int process_open_tails(struct process *process);

/* Send the stop signal to the leader of the group alone: it stops its own children as it must. */
void process_signal_stop(struct process *process);

/* ---- process_node.c: Node.js workers ---- */

/* Open the channel of a Node.js worker. Nothing for any other. Returns 0 or -errno. */
int process_open_node(struct process *process);

/* Close our copy of the process's end of that channel. */
void process_close_node_end(struct process *process);

/* Ask a Node.js worker to finish. Returns false where the stop signal is to be sent instead. */
bool process_disconnect(struct process *process);

/*
 * Open the Node.js channel of an adopted worker.
 *
 * fd  our end, as the previous controller left it with the worker; taken over
 */
void process_adopt_node(struct process *process, int fd);

/* Close that channel and its timers. A process without them is allowed. */
void process_close_node(struct process *process);

/* ---- process_events.c ---- */

/* For the descriptor on which a child says that its program runs, or why not. context: the process.
 */
void process_on_status(evutil_socket_t fd, short what, void *context);

/* For SIGCHLD, with the processes as the context. */
void process_on_child(evutil_socket_t signal, short what, void *context);

/* For notify_open(), with the processes as the context. */
void process_on_notify(void *context, pid_t group, const struct notify_message *message);

/* Close that descriptor. A process without it is allowed. */
void process_close_status(struct process *process);

/* Send a signal to all processes of its group. A failure is logged. */
void process_kill_group(struct process *process, int signal);

/* Reap all children that have ended: workers, and orphans where we are PID 1 of a container. */
void process_reap(struct processes *processes);

/* ---- process_adopt.c ---- */

/* Take over a worker process that a previous controller began. The backend's adopt(). */
int process_adopt(void *context, struct worker *worker, pid_t pid, int pidfd, void **ret_handle);

#endif
