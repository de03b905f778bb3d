// SPDX-License-Identifier: MIT
#include "bind/bind_workers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define RESTART_S 1

static void on_restart(evutil_socket_t fd, short what, void *context)
{
	const struct bind_workers *workers = context;
	int error = keeper_restart(workers->keeper);

	(void)fd;
	(void)what;
	if (error)
		report(STICKY_LOG_ERROR, "keeper_failed", "error=\"%s\"", strerror(-error));
	else
		bind_worker_keep(workers);
}

/* Start another keeper, but not at once: if keepers can't run, each of them ends immediately. */
static void on_lost(void *context)
{
	const struct bind_workers *workers = context;
	const struct timeval delay = {.tv_sec = RESTART_S};

	report(STICKY_LOG_WARN, "keeper_lost",
	       "so=\"another one is started: it lets the workers bind while there is no "
	       "controller\"");
	event_add(workers->restart, &delay);
}

int bind_workers_open(struct event_base *base, const char *keeper_path,
		      const struct bind_listeners_options *options,
		      struct bind_workers **ret_workers)
{
	struct bind_workers *workers = calloc(1, sizeof(*workers));
	int error = -ENOMEM;

	if (!workers)
		return -ENOMEM;
	workers->base = base;
	workers->listeners.options = *options;
	workers->restart = evtimer_new(base, on_restart, workers);
	if (workers->restart)
		error = keeper_open(base, keeper_path, on_lost, workers, &workers->keeper);
	if (error) {
		bind_workers_close(workers);
		return error;
	}
	*ret_workers = workers;
	return 0;
}

void bind_workers_close(struct bind_workers *workers)
{
	if (!workers)
		return;
	if (workers->restart)
		event_free(workers->restart);
	keeper_close(workers->keeper);
	free(workers);
}
