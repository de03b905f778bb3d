// SPDX-License-Identifier: MIT
/*
 * Closes the sockets of a slot's previous owner, by which the kernel moves their queues.
 *
 * The sockets are closed a moment after the slot has changed hands. A handshake that began on the
 * old socket also ends there. If its last packet is handled on one processor while another one
 * closes the socket, the kernel has looked the socket up already, finds it closed, and resets the
 * client. New handshakes begin on the new socket. After that moment the old handshakes with clients
 * at a short distance are complete. For clients at longer distances the host waits before it closes
 * the worker: sticky_worker_leave(). A holding socket is closed at once: no process accepts from
 * it, and its clients wait until their connections are moved.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/group_internal.h"

#define GRACE_NS 5000000ull

/*
 * When to look at the queue of a slot after the slot has changed hands, on a kernel that does not
 * wake an acceptor for a moved connection. A worker process that drains may close its own
 * descriptors at any time, and the kernel moves what was queued on them only then.
 */
static const uint64_t check_delays_ns[] = {50000000, 200000000, 1000000000, 5000000000};

#define CHECKS (sizeof(check_delays_ns) / sizeof(check_delays_ns[0]))

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool migration_wakes(const struct sticky_group *group)
{
	/*
	 * The value is negative if it could not be tried. The library then wakes, too: an unneeded
	 * wake-up does no harm, a missing one does.
	 */
	return group->migration_wakes > 0;
}

/* Wake the slot's worker if connections are in its queue. The kernel may not have reported them. */
static void wake_if_waiting(struct sticky_group *group, uint32_t slot)
{
	uint32_t i;

	if (slot >= group->slot_count || !group->slots[slot].owner || group->refusing)
		return;
	for (i = 0; i < group->listener_count; i++)
		if (listener_queue(group->slots[slot].owner->sockets.fd[i]) > 0)
			listener_wake(group->slots[slot].owner->sockets.fd[i]);
}

/*
 * Wake the workers to whose sockets the queue of a slot may have been moved. Their queues are read
 * after the move. A look at the old queue before its close() could miss a connection that arrives
 * in between.
 */
static void wake_heirs(struct sticky_group *group, uint32_t slot)
{
	uint32_t heir;

	if (slot < group->slot_count && !group->slots[slot].is_away) {
		wake_if_waiting(group, slot);
		return;
	}
	/* The slot is away: its queue may have been moved to any of the other slots. */
	for (heir = 0; heir < group->slot_count; heir++)
		wake_if_waiting(group, heir);
}

static void close_sockets(struct sticky_group *group, uint32_t slot, struct socket_set *sockets)
{
	group->slots[slot].overflows += socket_set_overflows(group, sockets);
	socket_set_close(sockets);
	if (!migration_wakes(group))
		wake_heirs(group, slot);
}

/* Set the timer to the first item that is due. */
static void arm(const struct sticky_group *group)
{
	struct itimerspec when = {0};

	if (group->timer_fd < 0 || !group->closings)
		return;
	when.it_value.tv_sec = (time_t)(group->closings->due_ns / 1000000000);
	when.it_value.tv_nsec = (long)(group->closings->due_ns % 1000000000);
	timerfd_settime(group->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Insert an item in the order of due_ns. Returns false if there is no memory. */
static bool add(struct sticky_group *group, const struct closing *what)
{
	struct closing **place = &group->closings;
	struct closing *closing = malloc(sizeof(*closing));

	if (!closing)
		return false;
	while (*place && (*place)->due_ns <= what->due_ns)
		place = &(*place)->next;
	*closing = *what;
	closing->next = *place;
	*place = closing;
	if (group->closings == closing)
		arm(group);
	return true;
}

/*
 * Schedule one more look at a slot. If the host does not poll, nothing is scheduled, as the calling
 * thread would have to wait for it.
 */
static void add_check(struct sticky_group *group, uint32_t slot, uint32_t check)
{
	struct closing closing = {.slot = slot, .is_check = true, .check = check};

	if (migration_wakes(group) || group->timer_fd < 0 || check >= CHECKS)
		return;
	closing.due_ns = now_ns() + check_delays_ns[check];
	socket_set_init(&closing.sockets);
	add(group, &closing);
}

static void do_first(struct sticky_group *group)
{
	struct closing *closing = group->closings;

	group->closings = closing->next;
	if (closing->is_check) {
		wake_if_waiting(group, closing->slot);
		add_check(group, closing->slot, closing->check + 1);
	} else {
		close_sockets(group, closing->slot, &closing->sockets);
		add_check(group, closing->slot, 0);
	}
	free(closing);
}

static void do_due(struct sticky_group *group)
{
	uint64_t now = now_ns();

	while (group->closings && group->closings->due_ns <= now)
		do_first(group);
}

void deferred_close_add(struct sticky_group *group, uint32_t slot, struct socket_set *sockets)
{
	struct closing closing = {.due_ns = now_ns() + GRACE_NS, .slot = slot, .sockets = *sockets};

	if (group_shares_sockets(group)) {
		/* They are duplicates. The sockets themselves stay open, and nothing moves. */
		socket_set_close(sockets);
		return;
	}
	/*
	 * Sockets that are due are closed first, even if the host is to do that by
	 * sticky_group_run(). A host that makes changes faster than it polls would otherwise run
	 * out of descriptors.
	 */
	do_due(group);
	if (group->refusing || !add(group, &closing))
		close_sockets(group, slot, sockets);
	else
		socket_set_init(sockets);
}

void deferred_close_flush(struct sticky_group *group)
{
	/* A look may schedule the next one. Their number is limited. */
	while (group->closings)
		do_first(group);
}

void deferred_close_finish(struct sticky_group *group)
{
	/* The group ends: no worker is woken, and no slot is looked at again. */
	group->migration_wakes = 1; /* as if the kernel did it */
	deferred_close_flush(group);
}

uint32_t deferred_close_queue(const struct sticky_group *group, uint32_t slot)
{
	const struct closing *closing;
	uint32_t sum = 0;

	for (closing = group->closings; closing; closing = closing->next)
		if (closing->slot == slot && !closing->is_check)
			sum += socket_set_queue(group, &closing->sockets);
	return sum;
}

/* Returns the nanoseconds until the last item is due; 0 if there is none, or if the host polls. */
static uint64_t time_to_wait(const struct sticky_group *group)
{
	const struct closing *closing;
	uint64_t now = now_ns(), due = now;

	for (closing = group->timer_fd < 0 ? group->closings : NULL; closing;
	     closing = closing->next)
		due = closing->due_ns;
	return due > now ? due - now : 0;
}

/*
 * A host that does not poll has no timer for check_delays_ns. On a kernel that does not wake
 * acceptors, all slots are looked at once more after this time instead.
 */
#define SECOND_LOOK_NS 50000000

static void sleep_ns(uint64_t wait_ns)
{
	struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000),
				.tv_nsec = (long)(wait_ns % 1000000000)};

	/*
	 * If a signal ends the sleep early, the next call closes the sockets that were not due yet.
	 */
	if (wait_ns)
		nanosleep(&wait, NULL);
}

static void look_again(struct sticky_group *group)
{
	uint32_t slot;

	sleep_ns(SECOND_LOOK_NS);
	group_lock(group);
	for (slot = 0; slot < group->slot_count; slot++)
		wake_if_waiting(group, slot);
	group_unlock(group);
}

void group_unlock_and_settle(struct sticky_group *group)
{
	uint64_t wait_ns = time_to_wait(group);
	bool polls = group->timer_fd >= 0, has_closed = group->closings;

	group_unlock(group);
	if (polls)
		return;
	sleep_ns(wait_ns);
	group_lock(group);
	do_due(group);
	group_unlock(group);
	if (has_closed && !migration_wakes(group))
		look_again(group);
}

void sticky_slot_wake(struct sticky_group *group, uint32_t slot)
{
	group_lock(group);
	if (!migration_wakes(group))
		wake_if_waiting(group, slot);
	group_unlock(group);
}

/* What the host polls: an epoll instance with the timer and the engine's own sockets. */
static int open_poll(struct sticky_group *group)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = epoll_create1(EPOLL_CLOEXEC), timer, error;

	if (fd < 0)
		return -errno;
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	error = timer < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, timer, &event) ? -errno : 0;
	if (!error)
		error = engine_watch(group->engine, fd);
	if (error) {
		if (timer >= 0)
			close(timer);
		close(fd);
		return error;
	}
	group->timer_fd = timer;
	group->poll_fd = fd;
	return 0;
}

int sticky_group_fd(struct sticky_group *group)
{
	int error = 0;

	if (group_is_inherited(group))
		return -ECHILD;
	group_lock(group);
	if (group->poll_fd < 0)
		error = open_poll(group);
	arm(group);
	group_unlock(group);
	return error ? error : group->poll_fd;
}

void sticky_group_run(struct sticky_group *group)
{
	uint64_t count;
	ssize_t length;

	if (group_is_inherited(group))
		return; /* the timer is the parent's, too */
	group_lock(group);
	if (group->timer_fd >= 0) {
		length = read(group->timer_fd, &count, sizeof(count));
		(void)length; /* EAGAIN: nothing is due */
	}
	do_due(group);
	arm(group);
	engine_run(group->engine);
	shared_run(group);
	group_unlock(group);
}
