// SPDX-License-Identifier: MIT
#include "service/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/error_text.h"
#include "common/journal.h"
#include "common/log.h"
#include "common/timer.h"
#include "service/service_outbox.h"
#include "service/service_socket.h"
#include "service/service_text.h"
#include "supervise/rolling_reload.h"
#include "supervise/shutdown.h"
#include "supervise/slot_view.h"
#include "supervise/supervisor.h"

#define UPDATE_MS   200	 /* delay of a status, which tells all events of that time */
#define RETRY_MS    500	 /* delay before a message that could not be sent is sent again */
#define EXTEND_MS   5000 /* period of requests for more time during a reload or a stop */
#define EXTENDED_US 15000000ull
/*
 * No more time is asked for a stop that exceeds its own deadlines by this much: the supervisor's
 * deadline ends it.
 */
#define STOP_MARGIN_MS 15000

struct service {
	const struct instance *instance;
	struct service_socket socket;
	struct service_outbox outbox;
	struct journal_follower *follower;
	struct event *update;	/* timer: see on_event(); sends the status if it has changed */
	struct event *retry;	/* timer: send the outbox again */
	struct event *extend;	/* timer: ask for more time */
	struct event *watchdog; /* NULL: WATCHDOG=1 is not wanted */
	bool is_ready, is_reloading, is_stopping;
	uint64_t stop_until_ms;	   /* by clock_ms(): until then more time is asked for a stop */
	struct error_text refused; /* why the last reload was refused; "": it was accepted */
	char told[SERVICE_STATUS_SIZE]; /* the status that was sent last */
};

/* ---- The view of the instance -------------------------------------------------------- */

static const char *state_of(const struct service *service)
{
	if (service->is_stopping || shutdown_has_begun(service->instance->supervisor))
		return "stopping";
	return service->is_ready ? "running" : "starting";
}

static void count_slots(const struct service *service, struct service_view *view)
{
	const struct supervisor *supervisor = service->instance->supervisor;
	struct slot_view slot;
	uint32_t i;

	view->slots = supervisor_slots(supervisor);
	for (i = 0; i < view->slots; i++) {
		slot_view_read(supervisor, i, &slot);
		view->count[service_slot_state_of(slot_view_state(&slot))]++;
	}
	view->draining = draining_count(supervisor);
}

static void describe_problem(const struct service *service, struct error_text *ret_problem)
{
	const struct reload *reload = rolling_reload_view(service->instance->supervisor);

	ret_problem->text[0] = '\0';
	if (service->refused.text[0])
		error_text_set(ret_problem, "the last reload was refused: %s",
			       service->refused.text);
	else if (reload->state == RELOAD_FAILED)
		error_text_set(ret_problem, "the last reload stopped at %u of %u: %s", reload->done,
			       reload->of, reload->error.text);
	error_text_join_lines(ret_problem);
}

/* Look at the instance. ret_view refers to the text in ret_problem. */
static void look(const struct service *service, struct error_text *ret_problem,
		 struct service_view *ret_view)
{
	const struct reload *reload = rolling_reload_view(service->instance->supervisor);

	describe_problem(service, ret_problem);
	*ret_view = (struct service_view){
		.state = state_of(service),
		.steering = service->instance->steering,
		.is_reloading = reload->state == RELOAD_RUNNING,
		.reload_done = reload->done,
		.reload_of = reload->of,
		.problem = ret_problem->text,
	};
	count_slots(service, ret_view);
}

static void describe(const struct service *service, char ret_line[SERVICE_STATUS_SIZE])
{
	struct error_text problem;
	struct service_view view;

	look(service, &problem, &view);
	service_status_line(&view, ret_line);
}

/* ---- Messages ---------------------------------------------------------------------- */

static void send_outbox(struct service *service)
{
	const char *text;

	while ((text = service_outbox_first(&service->outbox))) {
		if (service_socket_send(&service->socket, text)) {
			timer_start(service->retry, RETRY_MS);
			return;
		}
		service_outbox_remove(&service->outbox);
	}
}

/* Add a message about news, with the present status, to the outbox, and send the outbox. */
static void tell(struct service *service, enum service_news news)
{
	uint64_t extend_us = news == SERVICE_READY ? 0 : EXTENDED_US;
	char text[SERVICE_TEXT_SIZE];

	describe(service, service->told);
	service_message(news, service->told, clock_monotonic_us(), extend_us, text);
	service_outbox_add(&service->outbox, text);
	send_outbox(service);
}

/*
 * Send the status if it has changed. If it can't be sent, on_retry() sends the status of that time.
 */
static void tell_status(struct service *service)
{
	char line[SERVICE_STATUS_SIZE], text[SERVICE_TEXT_SIZE];

	describe(service, line);
	if (!strcmp(line, service->told) || service_outbox_first(&service->outbox))
		return;
	service_message(SERVICE_STATUS, line, 0, 0, text);
	if (service_socket_send(&service->socket, text))
		timer_start(service->retry, RETRY_MS);
	else
		strcpy(service->told, line);
}

static bool is_settled(const struct service *service)
{
	struct error_text problem;
	struct service_view view;

	if (supervisor_has_started(service->instance->supervisor))
		return true;
	look(service, &problem, &view);
	/*
	 * After a takeover the instance serves already. If this waited for a slot whose workers
	 * fail, the supervisor's deadline for a start would end the other workers, too.
	 */
	if (supervisor_took_over(service->instance->supervisor) && view.count[SERVICE_SLOT_READY])
		return true;
	return service_view_is_settled(&view);
}

static void become_ready(struct service *service)
{
	if (service->is_ready || service->is_stopping)
		return;
	service->is_ready = true;
	tell(service, SERVICE_READY);
}

static void on_update(evutil_socket_t fd, short what, void *context)
{
	struct service *service = context;

	(void)fd;
	(void)what;
	if (!service->is_ready && is_settled(service))
		become_ready(service);
	tell_status(service);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	struct service *service = context;

	(void)fd;
	(void)what;
	send_outbox(service);
	tell_status(service);
}

static void on_extend(evutil_socket_t fd, short what, void *context)
{
	struct service *service = context;
	char text[SERVICE_TEXT_SIZE];

	(void)fd;
	(void)what;
	if (service->is_stopping ? clock_ms() > service->stop_until_ms : !service->is_reloading)
		return;
	service_message(SERVICE_STATUS, NULL, 0, EXTENDED_US, text);
	(void)service_socket_send(&service->socket, text); /* if it is lost, the next one follows */
	timer_start(service->extend, EXTEND_MS);
}

static void on_watchdog(evutil_socket_t fd, short what, void *context)
{
	struct service *service = context;

	(void)fd;
	(void)what;
	(void)service_socket_send(&service->socket,
				  "WATCHDOG=1"); /* on failure, the next follows */
}

/* ---- Events ------------------------------------------------------------------------ */

static void begin_reload(struct service *service)
{
	service->refused.text[0] = '\0';
	service->is_reloading = true;
	tell(service, SERVICE_RELOADING);
	timer_start(service->extend, EXTEND_MS);
}

static void end_reload(struct service *service)
{
	service->is_reloading = false;
	tell(service, SERVICE_READY);
}

static void begin_stop(struct service *service)
{
	const struct config_timing *timing = &service->instance->config->timing;

	service->is_stopping = true;
	service->is_reloading = false;
	service->stop_until_ms = clock_ms() + timing->stop_delay_ms +
				 timing->hard_shutdown_delay_ms + STOP_MARGIN_MS;
	tell(service, SERVICE_STOPPING);
	timer_start(service->extend, EXTEND_MS);
}

/*
 * Returns true if a command or signal has asked for the reload. The supervisor is not told that a
 * worker is replaced for its age or size.
 */
static bool is_requested(const json_t *event)
{
	const char *why = json_string_value(json_object_get(event, "why"));

	return why && !strcmp(why, "request");
}

static void on_event(void *context, const json_t *event)
{
	struct service *service = context;
	const char *name = json_string_value(json_object_get(event, "event"));

	/* READY=1 does not wait for the update timer, as a reload may follow at once. */
	if (!strcmp(name, "started"))
		become_ready(service);
	else if (!strcmp(name, "stopping") && !service->is_stopping)
		begin_stop(service);
	else if (!strcmp(name, "reload_begun") && service->is_ready && !service->is_stopping &&
		 is_requested(event))
		begin_reload(service);
	else if (!strcmp(name, "reload_ended") && service->is_reloading)
		end_reload(service);
	if (!event_pending(service->update, EV_TIMEOUT, NULL))
		timer_start(service->update, UPDATE_MS);
}

void service_note_refused_reload(struct service *service, const char *why)
{
	if (!service || !service->is_ready || service->is_stopping)
		return;
	tell(service, SERVICE_RELOADING);
	error_text_set(&service->refused, "%s", why);
	/* If another reload is running, the supervisor waits until that one ends. */
	if (!service->is_reloading)
		tell(service, SERVICE_READY);
}

/* ---- Open and close ----------------------------------------------------------------- */

static int start_watchdog(struct service *service, struct event_base *base)
{
	uint32_t period_ms = service_watchdog_period_ms(getenv("WATCHDOG_USEC"),
							getenv("WATCHDOG_PID"), getpid());
	struct timeval period = {.tv_sec = period_ms / 1000,
				 .tv_usec = (suseconds_t)(period_ms % 1000 * 1000)};

	if (!period_ms)
		return 0;
	service->watchdog = event_new(base, -1, EV_PERSIST, on_watchdog, service);
	if (!service->watchdog || event_add(service->watchdog, &period))
		return -ENOMEM;
	on_watchdog(-1, EV_TIMEOUT, service);
	return 0;
}

static int make_parts(struct service *service, struct event_base *base)
{
	service->update = evtimer_new(base, on_update, service);
	service->retry = evtimer_new(base, on_retry, service);
	service->extend = evtimer_new(base, on_extend, service);
	service->follower = journal_follow(service->instance->journal, on_event, service);
	if (!service->update || !service->retry || !service->extend || !service->follower)
		return -ENOMEM;
	/*
	 * After a takeover or an upgrade no event says that all slots are ready, so look at once.
	 */
	timer_start(service->update, 0);
	return start_watchdog(service, base);
}

/* Open the socket that NOTIFY_SOCKET names. Returns 0; or -ENOENT: there is no supervisor. */
static int open_socket(struct service_socket *ret_socket)
{
	const char *name = getenv("NOTIFY_SOCKET");
	int error;

	if (!name || !name[0])
		return -ENOENT;
	error = service_socket_open(name, ret_socket);
	if (!error)
		return 0;
	report(STICKY_LOG_WARN, "notify_unavailable",
	       "NOTIFY_SOCKET=\"%.200s\" error=\"%s\" so=\"the supervisor is told nothing\" "
	       "hint=\"it must be an absolute path, or @ and the name of an abstract socket\"",
	       name, strerror(-error));
	return -ENOENT;
}

int service_open(struct event_base *base, const struct instance *instance,
		 struct service **ret_service)
{
	struct service *service;
	struct service_socket socket;
	int error;

	*ret_service = NULL;
	if (open_socket(&socket))
		return 0;
	service = calloc(1, sizeof(*service));
	if (!service) {
		service_socket_close(&socket);
		return -ENOMEM;
	}
	service->instance = instance;
	service->socket = socket;
	error = make_parts(service, base);
	if (error) {
		service_close(service);
		return error;
	}
	*ret_service = service;
	return 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void service_close(struct service *service)
{
	if (!service)
		return;
	if (service->follower)
		journal_unfollow(service->instance->journal, service->follower);
	free_event(service->update);
	free_event(service->retry);
	free_event(service->extend);
	free_event(service->watchdog);
	service_socket_close(&service->socket);
	free(service);
}
