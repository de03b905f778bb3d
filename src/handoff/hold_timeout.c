// SPDX-License-Identifier: MIT
#include "handoff/hold_timeout.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "handoff/queue_age.h"
#include "handoff/error_response.h"
#include "handoff/exits.h"
#include "common/clock.h"
#include "common/timer.h"

/*
 * A client that has waited for less than this may not have sent its first byte yet. The error
 * response is then delayed until the first byte arrives, which shows whether the client speaks TLS.
 */
#define PATIENT_BELOW_MS 1000
#define PATIENCE_MS	 150

#define AGAIN_MS 50 /* time until the next try after accept4() had no free descriptor */

/* One holding socket. */
struct watch {
	struct hold_timeout *hold_timeout;
	struct watch *next;
	uint32_t slot;
	int fd;
	uint64_t budget_ms; /* as configured when the slot lost its worker */
	uint32_t delay_ms;
	struct event *arrival; /* event: a connection arrived in the empty queue */
	struct event *sample;  /* timer: runs while the queue is not empty */
	struct queue_age ages;
};

struct hold_timeout {
	struct event_base *base;
	struct sticky_group *group;
	uint32_t retries;
	uint32_t delay_ms;
	enum down_answer answer;
	struct hold_timeout_counters counters;
	struct watch *watches;
	struct histogram waits; /* see hold_timeout_waits() */
};

/* Returns the length of a queue. For a listening socket the kernel reports it as tcpi_unacked. */
static uint32_t queue_length(int fd)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length))
		return 0;
	return info.tcpi_unacked;
}

/*
 * Answer the first connection of a queue. Returns false if the queue is empty, or no descriptor is
 * left.
 */
static bool answer_first(struct watch *watch)
{
	struct hold_timeout *hold_timeout = watch->hold_timeout;
	int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return false;
	queue_age_measure_first(&watch->ages, clock_ms(), &hold_timeout->waits);
	queue_age_remove(&watch->ages);
	counter_add(hold_timeout->counters.accepted, 1);
	++*hold_timeout->counters.answered;
	/*
	 * TLS clients send first. A client that has waited for long without sending a byte does not
	 * speak TLS.
	 */
	error_response_send(hold_timeout->base, fd, hold_timeout->answer,
			    1 + (unsigned int)(watch->budget_ms / 1000),
			    watch->budget_ms < PATIENT_BELOW_MS ? PATIENCE_MS : 0);
	return true;
}

static void look(struct watch *watch)
{
	uint64_t now = clock_ms(), delay;
	uint32_t due;
	bool failed = false;

	queue_age_sample(&watch->ages, now, queue_length(watch->fd));
	for (due = queue_age_due(&watch->ages, now, watch->budget_ms); due && !failed; due--)
		failed = !answer_first(watch);
	/*
	 * If event_add() fails as memory is short, the timer goes on, and the next sample finds an
	 * arrival.
	 */
	if (!queue_length(watch->fd) && event_add(watch->arrival, NULL) == 0)
		return;
	/*
	 * The next look is when the first connection is due, or at the next sample, whichever comes
	 * first.
	 */
	delay = queue_age_wait(&watch->ages, now, watch->budget_ms);
	if (delay > watch->delay_ms)
		delay = watch->delay_ms;
	if (failed && delay < AGAIN_MS)
		delay = AGAIN_MS;
	if (delay < 1)
		delay = 1;
	timer_start(watch->sample, delay);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	look(context);
}

static void free_watch(struct watch *watch)
{
	if (watch->arrival)
		event_free(watch->arrival);
	if (watch->sample)
		event_free(watch->sample);
	queue_age_fini(&watch->ages);
	free(watch);
}

static int watch_socket(struct hold_timeout *hold_timeout, uint32_t slot, int fd)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	*watch = (struct watch){
		.hold_timeout = hold_timeout,
		.slot = slot,
		.fd = fd,
		.budget_ms = (uint64_t)hold_timeout->retries * hold_timeout->delay_ms,
		.delay_ms = hold_timeout->delay_ms,
	};
	watch->arrival = event_new(hold_timeout->base, fd, EV_READ, on_look, watch);
	watch->sample = evtimer_new(hold_timeout->base, on_look, watch);
	if (!watch->arrival || !watch->sample ||
	    queue_age_init(&watch->ages, hold_timeout->retries + 2)) {
		free_watch(watch);
		return -ENOMEM;
	}
	watch->next = hold_timeout->watches;
	hold_timeout->watches = watch;
	/*
	 * Connections may be in the queue already: some kernels report no event for a queue that
	 * was moved.
	 */
	look(watch);
	return 0;
}

int hold_timeout_watch(struct hold_timeout *hold_timeout, uint32_t slot)
{
	uint32_t listener;
	int fd, error = 0;

	for (listener = 0; !error && listener < STICKY_LISTENERS_LIMIT; listener++) {
		fd = sticky_slot_holding_fd(hold_timeout->group, slot, listener);
		if (fd >= 0)
			error = watch_socket(hold_timeout, slot, fd);
	}
	return error;
}

const struct histogram *hold_timeout_waits(const struct hold_timeout *hold_timeout)
{
	return &hold_timeout->waits;
}

void hold_timeout_unwatch(struct hold_timeout *hold_timeout, uint32_t slot)
{
	struct watch **link = &hold_timeout->watches;

	while (*link) {
		struct watch *watch = *link;

		if (watch->slot != slot) {
			link = &watch->next;
			continue;
		}
		*link = watch->next;
		free_watch(watch);
	}
}

void hold_timeout_hand_over(struct hold_timeout *hold_timeout, uint32_t slot)
{
	struct watch *watch;
	uint64_t now = clock_ms();

	for (watch = hold_timeout->watches; watch; watch = watch->next) {
		if (watch->slot != slot)
			continue;
		queue_age_sample(&watch->ages, now, queue_length(watch->fd));
		queue_age_measure(&watch->ages, now, &hold_timeout->waits);
	}
	hold_timeout_unwatch(hold_timeout, slot);
}

int hold_timeout_open(struct event_base *base, struct sticky_group *group,
		      const struct hold_timeout_counters *counters,
		      struct hold_timeout **ret_hold_timeout)
{
	struct hold_timeout *hold_timeout = calloc(1, sizeof(*hold_timeout));

	if (!hold_timeout)
		return -ENOMEM;
	*hold_timeout = (struct hold_timeout){.base = base, .group = group, .counters = *counters};
	*ret_hold_timeout = hold_timeout;
	return 0;
}

void hold_timeout_set_limits(struct hold_timeout *hold_timeout, uint32_t retries, uint32_t delay_ms,
			     enum down_answer answer)
{
	hold_timeout->retries = retries;
	hold_timeout->delay_ms = delay_ms;
	hold_timeout->answer = answer;
}

void hold_timeout_close(struct hold_timeout *hold_timeout)
{
	struct watch *watch;

	if (!hold_timeout)
		return;
	while ((watch = hold_timeout->watches)) {
		hold_timeout->watches = watch->next;
		free_watch(watch);
	}
	free(hold_timeout);
}
