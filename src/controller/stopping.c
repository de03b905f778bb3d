// SPDX-License-Identifier: MIT
/*
 * Stops the instance: a request or a signal begins the stop, and the end of the last worker
 * completes it.
 */
#include <errno.h>

#include "common/exit_code.h"
#include "common/journal.h"
#include "common/timer.h"
#include "controller/controller_internal.h"
#include "handoff/frontend.h"
#include "node/node_listeners.h"
#include "supervise/shutdown.h"
#include "supervise/supervisor.h"

/* The time that clients of `stop` may take to read their answer after all workers have ended. */
#define LAST_ANSWERS_MS 1000

/*
 * Stop accepting connections, and handle those in the controller, before their workers are asked to
 * stop.
 */
static void begin_stop(struct controller *controller, bool now)
{
	/*
	 * The group refuses new connections first: otherwise one could still arrive at a dispatcher
	 * whose queue has been found empty.
	 */
	sticky_group_refuse(controller->instance.group);
	frontend_stop(controller->instance.frontend);
	node_listeners_stop(controller->node_listeners);
	shutdown_begin(controller->instance.supervisor, now);
}

static void on_stop_delay_over(evutil_socket_t fd, short what, void *context)
{
	struct controller *controller = context;

	(void)fd;
	(void)what;
	begin_stop(controller, false);
}

int controller_open_stop_timer(struct controller *controller)
{
	controller->stop_timer = evtimer_new(controller->base, on_stop_delay_over, controller);
	return controller->stop_timer ? 0 : -ENOMEM;
}

void controller_stop(struct controller *controller, bool now, const char *why)
{
	uint32_t delay_ms = controller->instance.config->timing.stop_delay_ms;

	journal_add(controller->instance.journal, STICKY_LOG_INFO, "stopping",
		    json_pack("{s:s, s:s}", "why", why, "how", now ? "now" : "graceful"));
	if (!now && delay_ms && !controller->instance.stop_announced)
		timer_start(controller->stop_timer, delay_ms);
	else if (now || !delay_ms)
		begin_stop(controller, now);
	controller->instance.stop_announced = true;
}

void controller_leave_loop(struct controller *controller, const struct timeval *after)
{
	if (event_base_loopexit(controller->base, after))
		event_base_loopbreak(controller->base);
}

void controller_finish(struct controller *controller, enum supervisor_result result)
{
	struct timeval grace = {.tv_usec = LAST_ANSWERS_MS * 1000 % 1000000,
				.tv_sec = LAST_ANSWERS_MS / 1000};

	controller->exit_code = result == SUPERVISOR_STOPPED  ? EXIT_DONE
				: result == SUPERVISOR_KILLED ? EXIT_PARTLY
							      : EXIT_FAILED;
	journal_add(controller->instance.journal, STICKY_LOG_INFO, "stopped",
		    json_pack("{s:i}", "exit_code", controller->exit_code));
	/*
	 * The answers to `stop` are sent before the controller ends, but a client that does not
	 * read its answer is not waited for.
	 */
	controller_leave_loop(
		controller,
		api_answer_stop(controller->api, result == SUPERVISOR_KILLED) > 0 ? &grace : NULL);
}
