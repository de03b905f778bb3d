// SPDX-License-Identifier: MIT
/* How a slot changes hands. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/group_internal.h"

int group_listen_on(const struct sticky_group *group, const struct listener *listener, int fd)
{
	int error;

	if (listen(fd, listener->backlog))
		return -errno;
	error = engine_attach(group->engine, fd);
	return error ? error : listener_lock(fd);
}

bool group_shares_sockets(const struct sticky_group *group)
{
	return engine_can(group->engine, STICKY_CAN_GIVE_SOCKETS) &&
	       !engine_can(group->engine, STICKY_CAN_MOVE_QUEUES);
}

void socket_set_init(struct socket_set *set)
{
	uint32_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		set->fd[i] = -1;
}

bool listener_is_known(const struct listener *listener)
{
	return listener->address.ss_family != AF_UNSPEC;
}

int socket_set_open_one(const struct sticky_group *group, uint32_t listener, struct socket_set *set)
{
	const struct listener *what = &group->listeners[listener];
	int error, fd = listener_bind(what);

	if (fd < 0)
		return fd;
	error = group_listen_on(group, what, fd);
	if (error) {
		close(fd);
		return error;
	}
	set->fd[listener] = fd;
	return 0;
}

int socket_set_duplicate_one(const struct socket_set *from, uint32_t listener,
			     struct socket_set *set)
{
	int fd;

	if (from->fd[listener] < 0)
		return 0;
	fd = fcntl(from->fd[listener], F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	set->fd[listener] = fd;
	return 0;
}

int socket_set_open(const struct sticky_group *group, struct socket_set *ret_set)
{
	struct socket_set set;
	uint32_t i;
	int error = 0;

	socket_set_init(&set);
	for (i = 0; !error && i < group->listener_count; i++)
		if (listener_is_known(&group->listeners[i]))
			error = socket_set_open_one(group, i, &set);
	if (error) {
		socket_set_close(&set);
		return error;
	}
	*ret_set = set;
	return 0;
}

void socket_set_close(struct socket_set *set)
{
	uint32_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		if (set->fd[i] >= 0)
			close(set->fd[i]);
	socket_set_init(set);
}

uint32_t socket_set_queue(const struct sticky_group *group, const struct socket_set *set)
{
	uint32_t sum = 0, i;

	for (i = 0; i < group->listener_count; i++) {
		int queue = listener_queue(set->fd[i]);

		sum += queue > 0 ? (uint32_t)queue : 0;
	}
	return sum;
}

uint32_t socket_set_overflows(const struct sticky_group *group, const struct socket_set *set)
{
	uint32_t sum = 0, i;

	for (i = 0; i < group->listener_count; i++)
		sum += listener_overflows(set->fd[i]);
	return sum;
}

struct socket_set *slot_present_set(struct slot *slot)
{
	return slot->owner ? &slot->owner->sockets : &slot->holding;
}

const struct socket_set *slot_present(const struct slot *slot)
{
	return slot->owner ? &slot->owner->sockets : &slot->holding;
}

/* Put a socket into the slot's entry of a listener; -1: the entry becomes empty. */
static int put_or_empty(const struct sticky_group *group, uint32_t listener, uint32_t slot, int fd)
{
	return fd < 0 ? engine_empty(group->engine, listener, slot)
		      : engine_put(group->engine, listener, slot, fd);
}

int slot_give(struct sticky_group *group, uint32_t slot, const struct socket_set *successor)
{
	const struct socket_set *present = slot_present(&group->slots[slot]);
	uint32_t listener;
	int error = 0;

	if (group_shares_sockets(group))
		return shared_give(group, slot, successor);
	for (listener = 0; listener < group->listener_count; listener++) {
		error = put_or_empty(group, listener, slot, successor->fd[listener]);
		if (error)
			break;
	}
	if (!error)
		return 0;
	while (listener-- > 0) {
		int undo = put_or_empty(group, listener, slot, present->fd[listener]);

		if (undo)
			log_event(&group->log, STICKY_LOG_ERROR, "slot_empty",
				  "slot=%u listener=%u error=\"%s\"", slot, listener,
				  strerror(-undo));
	}
	return error;
}

int slot_add(struct sticky_group *group, uint32_t slot)
{
	struct slot *state = &group->slots[slot];
	uint32_t listener;
	int error;

	state->owner = NULL;
	state->is_away = false;
	if (group_shares_sockets(group))
		return shared_open(group, slot);
	error = socket_set_open(group, &state->holding);
	for (listener = 0; !error && listener < group->listener_count; listener++)
		error = put_or_empty(group, listener, slot, state->holding.fd[listener]);
	if (error)
		slot_remove(group, slot);
	return error;
}

void slot_remove(struct sticky_group *group, uint32_t slot)
{
	struct slot *state = &group->slots[slot];
	uint32_t listener;

	for (listener = 0; listener < group->listener_count; listener++) {
		int error = engine_empty(group->engine, listener, slot);

		if (error)
			log_event(&group->log, STICKY_LOG_WARN, "empty_failed",
				  "slot=%u listener=%u error=\"%s\"", slot, listener,
				  strerror(-error));
	}
	/* A socket that is shared stays in the group: its place is another one's otherwise. */
	if (group_shares_sockets(group))
		shared_close_new(group, slot);
	else if (!state->owner)
		deferred_close_add(group, slot, &state->holding);
	state->owner = NULL;
}

int slot_hold(struct sticky_group *group, uint32_t slot)
{
	struct slot *state = &group->slots[slot];
	struct socket_set holding;
	int error;

	if (group_shares_sockets(group)) {
		state->owner = NULL;
		shared_watch(group, slot);
		return shared_hold(group, slot);
	}
	error = socket_set_open(group, &holding);
	if (!error) {
		error = slot_give(group, slot, &holding);
		if (error)
			socket_set_close(&holding);
	}
	if (error) {
		/* The owner's own sockets hold the slot, so that nothing in its queue is lost. */
		holding = state->owner->sockets;
		socket_set_init(&state->owner->sockets);
	}
	state->holding = holding;
	state->owner = NULL;
	return error;
}
