// SPDX-License-Identifier: MIT
#include "supervise/steering_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "rights/privilege.h"
#include "supervise/foreign_listeners.h"
#include "supervise/supervise_internal.h"
#include "supervise/unused_sockets.h"

#define CHECK_SECONDS 3
/*
 * However many strays arrive, checks because of them are no more frequent than this. After a loss
 * they rest for CHECK_SECONDS: a process that detaches the program again and again must not fill
 * the log.
 */
#define STRAY_REST_MS 200
/*
 * So many checks in a row without an answer are reported. A busy machine misses one now and then.
 */
#define UNANSWERED_MAX 10

struct steering_watch {
	struct supervisor *supervisor;
	struct event *timer;
	uint64_t restored;
	uint32_t unanswered;	 /* number of unanswered checks in a row */
	uint64_t strays_from_ms; /* strays that arrive before this time cause no check */
};

static void note_lost(struct steering_watch *watch, int listeners)
{
	watch->restored++;
	foreign_listeners_look(watch->supervisor->foreign); /* perhaps a foreign one did this */
	supervisor_note(
		watch->supervisor, STICKY_LOG_ERROR, "steering_lost",
		json_pack("{s:i, s:s, s:s}", "listeners", listeners, "so",
			  "the program was attached again; in the meantime clients went to "
			  "any worker",
			  "hint",
			  "a worker has detached it, or a process of the same user listens on "
			  "the same port: run the workers as another user (--user)"));
}

/* Returns the hint for an error of sticky_group_check(); NULL: there is none. */
static const char *hint_of(int error)
{
	switch (error) {
	case -EAGAIN:
		return "does a packet filter drop connections over loopback?";
	case -ECONNREFUSED:
		return "does a packet filter refuse connections over loopback? with --bind-device "
		       "the device needs an address";
	case -EADDRINUSE:
		return "another program listens on the same port, see foreign_listener: end it, or "
		       "run the workers as another user (--user)";
	default:
		return NULL;
	}
}

static void note_unanswered(struct steering_watch *watch, int error)
{
	const char *hint = hint_of(error);

	/* A foreign socket has answered: it is named at once. */
	if (error == -EADDRINUSE && !watch->unanswered)
		foreign_listeners_look(watch->supervisor->foreign);
	if (++watch->unanswered == UNANSWERED_MAX)
		report(STICKY_LOG_WARN, "steering_unchecked",
		       "error=\"%s\" so=\"it is not known whether the program still places "
		       "connections\"%s%s%s",
		       strerror(-error), hint ? " hint=\"" : "", hint ? hint : "",
		       hint ? "\"" : "");
}

static void check(struct steering_watch *watch)
{
	unsigned int previous;
	int result;

	if (watch->supervisor->stopping)
		return;
	unused_sockets_look_again(watch->supervisor);
	previous = privilege_raise(PRIVILEGE_NET_BIND_SERVICE);
	result = sticky_group_check(watch->supervisor->options.group);
	privilege_restore(previous);
	watch->strays_from_ms = clock_ms() + (result > 0 ? CHECK_SECONDS * 1000 : STRAY_REST_MS);
	if (result < 0) {
		note_unanswered(watch, result);
		return;
	}
	watch->unanswered = 0;
	if (result > 0)
		note_lost(watch, result);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	check(context);
}

void steering_watch_on_stray(struct steering_watch *watch)
{
	if (watch && clock_ms() >= watch->strays_from_ms)
		check(watch);
}

int steering_watch_open(struct supervisor *supervisor, struct steering_watch **ret_watch)
{
	const struct timeval period = {.tv_sec = CHECK_SECONDS};
	struct steering_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	watch->supervisor = supervisor;
	watch->timer = event_new(supervisor->options.base, -1, EV_PERSIST, on_timer, watch);
	if (!watch->timer || event_add(watch->timer, &period)) {
		steering_watch_close(watch);
		return -ENOMEM;
	}
	*ret_watch = watch;
	return 0;
}

void steering_watch_close(struct steering_watch *watch)
{
	if (!watch)
		return;
	if (watch->timer)
		event_free(watch->timer);
	free(watch);
}

uint64_t steering_watch_restored(const struct steering_watch *watch)
{
	return watch->restored;
}
