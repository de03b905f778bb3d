/* SPDX-License-Identifier: MIT */
/* Workers as processes: the backend of `stickyctl start -- COMMAND`. */
#ifndef STICKY_PROCESS_PROCESSES_H
#define STICKY_PROCESS_PROCESSES_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "config/config.h"
#include "handoff/delivery.h"
#include "process/identity.h"
#include "bind/bind_workers.h"
#include "node/node_listeners.h"
#include "supervise/worker_backend.h"

struct processes;

struct processes_options {
	struct event_base *base;
	const struct config *config;		/* name, command, env: as they are at each start */
	const struct identity *identity;	/* the user that workers run as */
	const char *directory;			/* where they run */
	const char *notify_path;		/* of their NOTIFY_SOCKET */
	uint16_t ports[STICKY_LISTENERS_LIMIT]; /* of the listeners, in their order */
	size_t port_count;
	struct nodeports *nodeports; /* what Node.js workers listen on; NULL: they are none */
	const char *preload;	     /* a file that Node.js workers load first; NULL: none */
	struct bind_workers *bind;   /* workers bind their addresses themselves; NULL: none does */
	bool gives_sockets;	     /* workers get their sockets, as LISTEN_FDS */
	struct relay *relay;	     /* between Node.js workers */
	struct delivery *delivery;   /* for Node.js workers; NULL: nothing is passed on */
	struct rlimit nofile;	     /* as it was before we raised ours */
};

/* Open the backend. options: copied; what they point to must outlive it. Returns 0 or -errno. */
int processes_open(const struct processes_options *options, struct processes **ret_processes);

/* Close it. All processes must have ended. NULL is allowed. */
void processes_close(struct processes *processes);

/* Returns the backend for the supervisor. */
struct worker_backend processes_backend(struct processes *processes);

/* The listeners have changed: connections to these ports, in host order, are counted. */
void processes_set_ports(struct processes *processes, const uint16_t *ports, size_t count);

#endif
