/* SPDX-License-Identifier: MIT */
/* Workers as processes: the backend of `stickyctl start -- COMMAND`. */
#ifndef STICKY_PROCESS_PROCESSES_H
#define STICKY_PROCESS_PROCESSES_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "common/line_ring.h"
#include "common/log_output.h"
#include "config/config.h"
#include "handoff/delivery.h"
#include "process/identity.h"
#include "bind/bind_workers.h"
#include "node/node_listeners.h"
#include "node/preload.h"
#include "supervise/worker_backend.h"

struct processes;

struct processes_options {
	struct event_base *base;
	const struct config *config;		/* name, command and env are read at each start */
	const struct identity *identity;	/* the user that workers run as */
	const char *directory;			/* the working directory of workers */
	const char *notify_path;		/* value of NOTIFY_SOCKET */
	uint16_t ports[STICKY_LISTENERS_LIMIT]; /* the listeners' ports, in their order */
	size_t port_count;
	/* the listeners of Node.js workers; NULL: workers do not run Node.js */
	struct node_listeners *node_listeners;
	const char *preloads[PRELOAD_COUNT]; /* the files of the scripts for Node.js workers */
	struct unheard *unheard;       /* logs messages of Node.js workers that nothing handles */
	struct bind_workers *bind;     /* answers bind() of workers; NULL: bind() is not answered */
	bool gives_sockets;	       /* workers get their sockets, as LISTEN_FDS */
	struct relay *relay;	       /* passes messages between Node.js workers */
	struct delivery *delivery;     /* for Node.js workers; NULL: no connections are passed */
	struct log_output *log_output; /* receives the workers' output */
	struct line_ring *ring; /* keeps each line that workers print; NULL: lines are not kept */
	struct rlimit nofile;	/* the limit before the controller raised its own */
};

/*
 * Open the backend. options: copied; their pointers must stay valid until it is closed. Returns 0
 * or -errno.
 */
int processes_open(const struct processes_options *options, struct processes **ret_processes);

/* Close the backend. All processes must have ended. NULL is allowed. */
void processes_close(struct processes *processes);

/* Returns the backend for the supervisor. */
struct worker_backend processes_backend(struct processes *processes);

/*
 * Find a Node.js worker for which messages wait in this process, as it has not read earlier ones.
 *
 * ret_pid, ret_slot  of the worker, if there is one
 *
 * Returns true if there is one.
 */
bool processes_find_unread(const struct processes *processes, pid_t *ret_pid, uint32_t *ret_slot);

/*
 * Set the ports of the listeners, in host order, after they have changed. Connections to these
 * ports are counted.
 */
void processes_set_ports(struct processes *processes, const uint16_t *ports, size_t count);

#endif
