// SPDX-License-Identifier: MIT
/*
 * Handles signals, which ask the controller to stop, to reload, to scale or to open its log again.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "common/error_text.h"
#include "common/exit_code.h"
#include "common/log.h"
#include "controller/controller_internal.h"
#include "supervise/slot_commands.h"
#include "supervise/supervisor.h"

static const int signals[CONTROLLER_SIGNALS] = {SIGTERM, SIGINT,  SIGQUIT, SIGHUP,
						SIGUSR2, SIGTTIN, SIGTTOU, SIGUSR1};

static void reload_by_signal(struct controller *controller)
{
	struct error_text error;

	if (controller_reload(controller, &error) >= 0)
		return;
	report(STICKY_LOG_ERROR, "reload_refused", "why=\"%s\"", error.text);
	service_note_refused_reload(controller->service, error.text);
}

static void scale_by_signal(struct controller *controller, int by)
{
	struct supervisor *supervisor = controller->instance.supervisor;
	int slots = (int)supervisor_slots(supervisor) + by;
	int moved = slots < 1 ? -EINVAL : slots_scale(supervisor, (uint32_t)slots);

	if (moved < 0)
		report(STICKY_LOG_WARN, "scale_refused", "slots=%d error=\"%s\"", slots,
		       strerror(-moved));
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
	struct controller *controller = context;
	bool again = controller->interrupted;

	(void)what;
	switch (number) {
	case SIGINT:
		controller->interrupted = true;
		controller_stop(controller, again, "SIGINT");
		break;
	case SIGTERM:
		controller_stop(controller, false, "SIGTERM");
		break;
	case SIGQUIT:
		controller_stop(controller, true, "SIGQUIT");
		break;
	case SIGTTIN:
		scale_by_signal(controller, 1);
		break;
	case SIGTTOU:
		scale_by_signal(controller, -1);
		break;
	case SIGUSR1:
		log_output_reopen(controller->instance.log_output);
		break;
	default: /* SIGHUP, SIGUSR2 */
		reload_by_signal(controller);
	}
}

static sigset_t handled_signals(void)
{
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < CONTROLLER_SIGNALS; i++)
		sigaddset(&set, signals[i]);
	return set;
}

void controller_hold_signals(sigset_t *ret_previous)
{
	sigset_t set = handled_signals();

	sigprocmask(SIG_BLOCK, &set, ret_previous);
}

/* Handle the signals that have been pending since the program before an upgrade blocked them. */
static void let_signals_in(void)
{
	sigset_t set = handled_signals();

	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int controller_watch_signals(struct controller *controller)
{
	size_t i;

	/*
	 * The reader of the controller's output may go away. Its end must not end the controller.
	 */
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < CONTROLLER_SIGNALS; i++) {
		controller->signal_events[i] =
			evsignal_new(controller->base, signals[i], on_signal, controller);
		if (!controller->signal_events[i] ||
		    event_add(controller->signal_events[i], NULL)) {
			controller_complain("%s", strerror(ENOMEM));
			return EXIT_FAILED;
		}
	}
	let_signals_in();
	return EXIT_DONE;
}

void controller_unwatch_signals(struct controller *controller)
{
	size_t i;

	for (i = 0; i < CONTROLLER_SIGNALS; i++)
		if (controller->signal_events[i])
			event_free(controller->signal_events[i]);
}
