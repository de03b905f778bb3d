// SPDX-License-Identifier: MIT
/*
 * Slots whose workers share their sockets: without STICKY_CAN_MOVE_QUEUES. A slot keeps one socket
 * for each listener, from its first use to the end of the group, and the queue of connections with
 * it. Its workers get duplicates.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/group_internal.h"

static bool is_listening(int fd)
{
	int listens = 0;
	socklen_t length = sizeof(listens);

	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) && listens;
}

/* Open the socket of a slot for a listener, if it has none, and let the engine know it. */
static int open_one(struct sticky_group *group, uint32_t slot, uint32_t listener)
{
	struct socket_set *set = &group->slots[slot].holding;
	int error = 0;

	if (!listener_is_known(&group->listeners[listener]))
		return 0;
	if (set->fd[listener] < 0)
		error = socket_set_open_one(group, listener, set);
	if (!error)
		error = engine_put(group->engine, listener, slot, set->fd[listener]);
	return error;
}

int shared_open(struct sticky_group *group, uint32_t slot)
{
	struct slot *state = &group->slots[slot];
	const struct socket_set previous = state->holding;
	uint32_t listener;
	int error = 0;

	state->is_new = 0;
	for (listener = 0; listener < group->listener_count && !error; listener++) {
		error = open_one(group, slot, listener);
		if (state->holding.fd[listener] != previous.fd[listener])
			state->is_new |= 1u << listener;
	}
	if (error)
		slot_remove(group, slot);
	return error;
}

/* Also where the socket is not watched. A worker's duplicate would keep it in the epoll set. */
static void unwatch(const struct sticky_group *group, int fd)
{
	if (group->poll_fd >= 0)
		epoll_ctl(group->poll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* Close the socket of a slot for a listener, and let the engine know that. */
static void close_one(struct sticky_group *group, uint32_t slot, uint32_t listener)
{
	int *fd = &group->slots[slot].holding.fd[listener];

	engine_lose(group->engine, listener, slot);
	unwatch(group, *fd);
	close(*fd);
	*fd = -1;
}

void shared_close_new(struct sticky_group *group, uint32_t slot)
{
	struct slot *state = &group->slots[slot];
	uint32_t listener;

	for (listener = 0; listener < group->listener_count; listener++)
		if (state->is_new & 1u << listener)
			close_one(group, slot, listener);
	state->is_new = 0;
}

/*
 * Close the sockets that do not listen any more. All of them are found before the first new one is
 * opened, as each one that left has changed the order of those that were there. Returns their
 * number.
 */
static int drop_dead(struct sticky_group *group)
{
	uint32_t slot, listener;
	int dropped = 0;

	for (slot = 0; slot < STICKY_SLOTS_LIMIT; slot++)
		for (listener = 0; listener < group->listener_count; listener++) {
			int fd = group->slots[slot].holding.fd[listener];

			if (fd < 0 || is_listening(fd))
				continue;
			close_one(group, slot, listener);
			dropped++;
			log_event(&group->log, STICKY_LOG_WARN, "socket_replaced",
				  "slot=%u listener=%u why=\"it does not listen any more\"", slot,
				  listener);
		}
	return dropped;
}

/* Returns the number of sockets that were replaced, or -errno. */
static int repair(struct sticky_group *group)
{
	int dropped = drop_dead(group), error = 0;
	uint32_t slot, listener;

	for (slot = 0; slot < group->slot_count && !error; slot++)
		for (listener = 0; listener < group->listener_count && !error; listener++)
			if (group->slots[slot].holding.fd[listener] < 0)
				error = open_one(group, slot, listener);
	for (listener = 0; dropped && listener < group->listener_count; listener++) {
		int failed = engine_commit(group->engine, listener);

		error = error ? error : failed;
	}
	return error ? error : dropped;
}

int sticky_group_repair(struct sticky_group *group)
{
	int result = 0;

	if (group_is_inherited(group))
		return -ECHILD;
	group_lock(group);
	if (group_shares_sockets(group) && !group->refusing)
		result = repair(group);
	group_unlock(group);
	return result;
}

/*
 * The host has accepted from the sockets (sticky_slot_holding_fd()), as no process had them. The
 * next worker gets them as a new socket would be: blocking.
 */
static int make_blocking(struct slot *slot)
{
	uint32_t listener;

	for (listener = 0; listener < STICKY_LISTENERS_LIMIT; listener++)
		if (slot->holding.fd[listener] >= 0 &&
		    fcntl(slot->holding.fd[listener], F_SETFL, 0))
			return -errno;
	slot->is_nonblocking = false;
	return 0;
}

int shared_open_worker(struct sticky_group *group, uint32_t slot, struct socket_set *ret_set)
{
	struct slot *state = &group->slots[slot];
	struct socket_set set;
	uint32_t listener;
	int error = group->refusing ? 0 : repair(group);

	socket_set_init(&set);
	error = error < 0 ? error : 0;
	if (!error && state->is_nonblocking && !state->owner)
		error = make_blocking(state);
	for (listener = 0; listener < group->listener_count && !error; listener++)
		error = socket_set_duplicate_one(&state->holding, listener, &set);
	if (error) {
		socket_set_close(&set);
		return error;
	}
	*ret_set = set;
	return 0;
}

/* Tell the engine of which listeners a slot has a socket in `served`. */
static int tell(struct sticky_group *group, uint32_t slot, const struct socket_set *served)
{
	const struct socket_set *own = &group->slots[slot].holding;
	uint32_t listener;
	int error = 0;

	for (listener = 0; listener < group->listener_count && !error; listener++)
		if (served->fd[listener] >= 0 && own->fd[listener] >= 0)
			error = engine_put(group->engine, listener, slot, own->fd[listener]);
		else
			error = engine_empty(group->engine, listener, slot);
	for (listener = 0; listener < group->listener_count && !error; listener++)
		error = engine_commit(group->engine, listener);
	return error;
}

int shared_give(struct sticky_group *group, uint32_t slot, const struct socket_set *served)
{
	const struct socket_set *previous = slot_present(&group->slots[slot]);
	uint32_t listener;
	int error;

	for (listener = 0; listener < group->listener_count; listener++)
		if (served->fd[listener] >= 0 && !is_listening(served->fd[listener]))
			return -EINVAL;
	error = tell(group, slot, served);
	if (error) {
		int undo = tell(group, slot, previous);

		if (undo)
			log_event(&group->log, STICKY_LOG_ERROR, "slot_empty", "slot=%u error=%d",
				  slot, -undo);
	}
	return error;
}

int shared_hold(struct sticky_group *group, uint32_t slot)
{
	int error = repair(group);

	return error < 0 ? error : tell(group, slot, &group->slots[slot].holding);
}

/* ---- Listeners that a slot's worker does not serve ------------------------------------- */

static bool is_unserved(const struct slot *slot, uint32_t listener)
{
	return slot->owner && slot->owner->sockets.fd[listener] < 0 &&
	       slot->holding.fd[listener] >= 0;
}

void shared_watch(struct sticky_group *group, uint32_t slot)
{
	struct slot *state = &group->slots[slot];
	struct epoll_event event = {.events = EPOLLIN};
	uint32_t listener;

	if (!group_shares_sockets(group) || group->poll_fd < 0)
		return;
	for (listener = 0; listener < group->listener_count; listener++) {
		int fd = state->holding.fd[listener];

		if (!is_unserved(state, listener)) {
			if (fd >= 0)
				unwatch(group, fd);
			continue;
		}
		if ((fcntl(fd, F_SETFL, O_NONBLOCK) ||
		     epoll_ctl(group->poll_fd, EPOLL_CTL_ADD, fd, &event)) &&
		    errno != EEXIST)
			log_event(&group->log, STICKY_LOG_WARN, "socket_not_watched",
				  "slot=%u listener=%u error=%d", slot, listener, errno);
		state->is_nonblocking = true;
	}
}

void shared_run(struct sticky_group *group)
{
	uint32_t slot, listener;

	if (!group_shares_sockets(group))
		return;
	for (slot = 0; slot < group->slot_count; slot++)
		for (listener = 0; listener < group->listener_count; listener++)
			if (is_unserved(&group->slots[slot], listener))
				listener_reset_all(group->slots[slot].holding.fd[listener]);
}
