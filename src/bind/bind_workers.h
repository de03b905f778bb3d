/* SPDX-License-Identifier: MIT */
/* All workers of an instance that bind their addresses themselves, and their keeper. */
#ifndef STICKY_BIND_BIND_WORKERS_H
#define STICKY_BIND_BIND_WORKERS_H

#include <event2/event.h>

#include "bind/bind_listeners.h"
#include "bind/bind_worker.h"
#include "bind/keeper.h"

struct bind_workers {
	struct event_base *base;
	struct bind_listeners listeners;
	struct keeper_link *keeper;
	struct bind_worker *list;
	/* number of `listens_elsewhere` events: a worker must not fill the log with them */
	uint32_t elsewhere_count;
	char elsewhere[BIND_ADDRESS_TEXT_SIZE]; /* the last address that was logged; "": none */
	/* it was logged that clients' addresses look otherwise than the server expects */
	bool family_was_said;
	struct event *restart; /* the timer until another keeper is started */
};

/*
 * Make an empty set, with the keeper that a previous controller left, or a new one.
 *
 * keeper_path  path of the keeper's socket
 * options      copied
 *
 * Returns 0 or -errno.
 */
int bind_workers_open(struct event_base *base, const char *keeper_path,
		      const struct bind_listeners_options *options,
		      struct bind_workers **ret_workers);

/* Free the set. All workers must be closed. NULL is allowed. */
void bind_workers_close(struct bind_workers *workers);

#endif
