// SPDX-License-Identifier: MIT
/*
 * The closing of a predecessor's sockets, which is what moves their queues.
 *
 * Not at once: a handshake that began on the old socket ends there. When its last packet is
 * handled on one processor while another one closes the socket, the kernel has looked the
 * socket up already, finds it closed, and resets the client. New handshakes begin on the
 * successor; a moment later those on the way over short distances are through. Over longer ones
 * the chance that a packet comes in the very microseconds of a close() is left.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "group.h"
#include "wake.h"

#define GRACE_NS 5000000ull

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void wake(struct sticky_group *group, uint32_t slot, uint32_t listener)
{
	const struct listener *address = &group->listeners[listener];
	int error =
		wake_slot(group->steering, (const void *)&address->address, address->length, slot);

	if (error)
		log_event(&group->log, STICKY_LOG_WARN, "wake_failed",
			  "slot=%u listener=%u error=\"%s\"", slot, listener, strerror(-error));
}

/* Wake whoever may have got what waited at a listener of a slot. */
static void wake_heirs(struct sticky_group *group, uint32_t slot, uint32_t listener)
{
	uint32_t heir;

	if (slot < group->slot_count && !group->slots[slot].is_away) {
		if (group->slots[slot].owner)
			wake(group, slot, listener);
		return;
	}
	/* The table dealt it out: to any of the others. */
	for (heir = 0; heir < group->slot_count; heir++)
		if (group->slots[heir].owner)
			wake(group, heir, listener);
}

static void close_sockets(struct sticky_group *group, uint32_t slot, struct socket_set *sockets)
{
	bool was_waiting[STICKY_LISTENERS_LIMIT] = {false};
	uint32_t i;

	for (i = 0; i < group->listener_count; i++)
		was_waiting[i] = listener_queue(sockets->fd[i]) != 0;
	group->slots[slot].overflows += socket_set_overflows(group, sockets);
	socket_set_close(sockets);

	if (group->migration_wakes || group->refusing)
		return;
	for (i = 0; i < group->listener_count; i++)
		if (was_waiting[i])
			wake_heirs(group, slot, i);
}

/* Have the timer fire when the first one is due. */
static void arm(const struct sticky_group *group)
{
	struct itimerspec when = {0};

	if (group->timer_fd < 0 || !group->closings)
		return;
	when.it_value.tv_sec = (time_t)(group->closings->due_ns / 1000000000);
	when.it_value.tv_nsec = (long)(group->closings->due_ns % 1000000000);
	timerfd_settime(group->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void closing_add(struct sticky_group *group, uint32_t slot, struct socket_set *sockets)
{
	struct closing **end = &group->closings;
	struct closing *closing = group->refusing ? NULL : malloc(sizeof(*closing));

	if (!closing) {
		close_sockets(group, slot, sockets);
		return;
	}
	*closing =
		(struct closing){.due_ns = now_ns() + GRACE_NS, .slot = slot, .sockets = *sockets};
	socket_set_init(sockets);
	while (*end)
		end = &(*end)->next;
	*end = closing;
	if (group->closings == closing)
		arm(group);
}

static void close_first(struct sticky_group *group)
{
	struct closing *closing = group->closings;

	group->closings = closing->next;
	close_sockets(group, closing->slot, &closing->sockets);
	free(closing);
}

static void close_due(struct sticky_group *group)
{
	uint64_t now = now_ns();

	while (group->closings && group->closings->due_ns <= now)
		close_first(group);
}

void closing_finish(struct sticky_group *group)
{
	while (group->closings)
		close_first(group);
}

uint32_t closing_queue(const struct sticky_group *group, uint32_t slot)
{
	const struct closing *closing;
	uint32_t sum = 0;

	for (closing = group->closings; closing; closing = closing->next)
		if (closing->slot == slot)
			sum += socket_set_queue(group, &closing->sockets);
	return sum;
}

/* How long until the last one is due; 0: there is none, or the host polls. */
static uint64_t time_to_wait(const struct sticky_group *group)
{
	const struct closing *closing;
	uint64_t now = now_ns(), due = now;

	for (closing = group->timer_fd < 0 ? group->closings : NULL; closing;
	     closing = closing->next)
		due = closing->due_ns;
	return due > now ? due - now : 0;
}

void group_unlock_and_settle(struct sticky_group *group)
{
	uint64_t wait_ns = time_to_wait(group);
	struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000),
				.tv_nsec = (long)(wait_ns % 1000000000)};
	bool polls = group->timer_fd >= 0;

	pthread_mutex_unlock(&group->lock);
	if (polls)
		return;
	if (wait_ns)
		nanosleep(&wait,
			  NULL); /* one that a signal cuts short is closed by the next call */
	pthread_mutex_lock(&group->lock);
	close_due(group);
	pthread_mutex_unlock(&group->lock);
}

int sticky_group_fd(struct sticky_group *group)
{
	int fd;

	pthread_mutex_lock(&group->lock);
	if (group->timer_fd < 0)
		group->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	fd = group->timer_fd < 0 ? -errno : group->timer_fd;
	arm(group);
	pthread_mutex_unlock(&group->lock);
	return fd;
}

void sticky_group_run(struct sticky_group *group)
{
	uint64_t count;
	ssize_t length;

	pthread_mutex_lock(&group->lock);
	if (group->timer_fd >= 0) {
		length = read(group->timer_fd, &count, sizeof(count));
		(void)length; /* EAGAIN: called without need */
	}
	close_due(group);
	arm(group);
	pthread_mutex_unlock(&group->lock);
}
