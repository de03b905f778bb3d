// SPDX-License-Identifier: MIT
/* The listening addresses of a group, and sockets that belong to no group. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/address.h"
#include "lib/group_internal.h"

/* The set that a new socket of a slot belongs to. */
static struct socket_set *slot_own_set(struct sticky_group *group, uint32_t slot)
{
	return group_shares_sockets(group) ? &group->slots[slot].holding
					   : slot_present_set(&group->slots[slot]);
}

/* Is this one of the group's listeners already? */
static bool has_listener(const struct sticky_group *group, const struct listener *listener)
{
	uint32_t i;

	for (i = 0; i < group->address_count; i++)
		if (listener_is_same(&group->listeners[i], listener))
			return true;
	return false;
}

/*
 * Bind the first socket of a new listener. The program could not tell two listeners of one address
 * apart, and an address that is only bound (STICKY_ENGINE_USER) looks free to bind(2).
 */
static int bind_first(const struct sticky_group *group, struct listener *listener)
{
	int fd = listener_bind_first(listener);

	if (fd < 0 || !has_listener(group, listener))
		return fd;
	close(fd);
	return -EADDRINUSE;
}

/*
 * Open the socket of slot 0 for a new listener. The program is attached to it, and the sockets that
 * follow inherit the program.
 */
static int open_first(struct sticky_group *group, struct listener *listener, uint32_t index)
{
	int fd = bind_first(group, listener), attached, error;

	if (fd < 0)
		return fd;
	slot_own_set(group, 0)->fd[index] = fd;
	attached = engine_add_listener(group->engine, fd);
	if (attached < 0)
		return attached;
	error = listener_listen(listener, fd);
	if (!error)
		error = engine_put(group->engine, index, 0, fd);
	if (error)
		engine_remove_last_listener(group->engine);
	return error;
}

static int open_rest(struct sticky_group *group, const struct listener *listener, uint32_t index)
{
	uint32_t slot;
	int error = 0;

	for (slot = 1; !error && slot < group->slot_count; slot++) {
		int fd = listener_bind(listener);

		if (fd < 0)
			return fd;
		slot_own_set(group, slot)->fd[index] = fd;
		error = group_listen_on(group, listener, fd);
		if (!error)
			error = engine_put(group->engine, index, slot, fd);
	}
	return error;
}

/* Workers share their slot's socket, or get one if they do not have their slot. */
static int open_for_workers(struct sticky_group *group, const struct listener *listener,
			    uint32_t index)
{
	struct sticky_worker *worker;
	int fd, error;

	for (worker = group->workers; worker; worker = worker->next) {
		if (worker->sockets.fd[index] >= 0)
			continue;
		if (group_shares_sockets(group)) {
			error = socket_set_duplicate_one(&group->slots[worker->slot].holding, index,
							 &worker->sockets);
			if (error)
				return error;
			continue;
		}
		fd = listener_bind(listener);
		if (fd < 0)
			return fd;
		worker->sockets.fd[index] = fd;
		error = group_listen_on(group, listener, fd);
		if (error)
			return error;
	}
	return 0;
}

static void close_socket(struct socket_set *set, uint32_t index)
{
	if (set->fd[index] >= 0)
		close(set->fd[index]);
	set->fd[index] = -1;
}

static void close_listener(struct sticky_group *group, uint32_t index)
{
	struct sticky_worker *worker;
	uint32_t slot;

	for (slot = 0; slot < group->slot_count; slot++)
		close_socket(&group->slots[slot].holding, index);
	for (worker = group->workers; worker; worker = worker->next)
		close_socket(&worker->sockets, index);
}

/*
 * If slots have no sockets, bind the address for the dispatchers, so that no other process gets it.
 */
static int group_reserve(struct sticky_group *group, struct listener *listener, uint32_t index)
{
	int fd = bind_first(group, listener);

	if (fd < 0)
		return fd;
	group->reserved[index] = fd;
	return 0;
}

static int open_all(struct sticky_group *group, struct listener *listener, uint32_t index)
{
	int error = open_first(group, listener, index);

	if (!error) {
		error = open_rest(group, listener, index);
		if (!error)
			error = open_for_workers(group, listener, index);
		if (!error)
			error = engine_finish_listener(group->engine, index, listener);
		if (error)
			engine_remove_last_listener(group->engine);
	}
	if (error)
		close_listener(group, index);
	return error;
}

/* May a listener be added now? Returns 0 or -errno. */
static int check_addable(const struct sticky_group *group)
{
	if (group->dispatchers)
		return -EBUSY;
	if (group->refusing)
		return -ESHUTDOWN;
	return group->address_count == STICKY_LISTENERS_LIMIT ? -E2BIG : 0;
}

static int listen_locked(struct sticky_group *group, struct listener *listener)
{
	uint32_t index = group->address_count;
	bool has_sockets = engine_can(group->engine, STICKY_CAN_GIVE_SOCKETS);
	int error = check_addable(group);

	if (error)
		return error;
	listener->preparation = group->preparation;
	listener->preparation.listener = index;
	error = listener_check_free(listener);
	if (!error)
		error = has_sockets ? open_all(group, listener, index)
				    : group_reserve(group, listener, index);
	if (error)
		return error;
	group->listeners[index] = *listener;
	group->address_count++;
	group->listener_count += has_sockets;
	return (int)index;
}

int sticky_group_listen(struct sticky_group *group, const char *address)
{
	struct listen_spec spec;
	struct listener listener;
	int error;

	if (group_is_inherited(group))
		return -ECHILD;
	error = listen_spec_parse(address, &spec);
	if (!error)
		error = listener_resolve(&spec, (int)group->backlog, &listener);
	if (error)
		return error;
	group_lock(group);
	error = listen_locked(group, &listener);
	group_unlock(group);
	return error;
}

/* ---- A listening socket of the host ------------------------------------------------------ */

/* Open the socket of a slot beside that of the host. It joins the host's group. */
static int join_slot(struct sticky_group *group, const struct listener *listener, uint32_t index,
		     uint32_t slot)
{
	int fd = listener_bind(listener), error;

	if (fd < 0)
		return fd;
	slot_present_set(&group->slots[slot])->fd[index] = fd;
	/* The program is attached by the socket of slot 0, which is locked after that. */
	error = slot ? listener_listen(listener, fd) : (listen(fd, listener->backlog) ? -errno : 0);
	return error ? error : engine_put(group->engine, index, slot, fd);
}

/*
 * The program is attached when all slots have their sockets: before that, the kernel spreads new
 * connections over the host's socket and those of the slots, and none is refused.
 */
static int join_all(struct sticky_group *group, const struct listener *listener, uint32_t index)
{
	int first, attached, error = 0;
	uint32_t slot;

	for (slot = 0; slot < group->slot_count && !error; slot++)
		error = join_slot(group, listener, index, slot);
	first = slot_present(&group->slots[0])->fd[index];
	attached = error ? error : engine_add_listener(group->engine, first);
	if (attached >= 0) {
		error = listener_lock(first);
		if (!error)
			error = open_for_workers(group, listener, index);
		if (error)
			engine_remove_last_listener(group->engine);
	} else {
		error = attached;
	}
	if (error)
		close_listener(group, index);
	return error;
}

static int listen_socket_locked(struct sticky_group *group, int fd)
{
	uint32_t index = group->address_count;
	bool has_sockets = engine_can(group->engine, STICKY_CAN_GIVE_SOCKETS);
	struct listener listener;
	int error = check_addable(group), reuse = 1;

	if (!error)
		error = group_learn_listener(group, fd, &listener);
	if (error)
		return error;
	/* The host's socket would be one that the engine does not count, and its queue stays. */
	if (group_shares_sockets(group))
		return -EOPNOTSUPP;
	if (listener.address.ss_family != AF_INET && listener.address.ss_family != AF_INET6)
		return -EAFNOSUPPORT;
	/* As a group's socket it has a program already, which would be replaced for that group. */
	if (listener_is_locked(fd))
		return -EBUSY;
	if (has_listener(group, &listener))
		return -EADDRINUSE;
	/* The kernel looks at this when the other sockets are bound: inet_csk_bind_conflict(). */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &reuse, sizeof(reuse)))
		return -errno;
	error = has_sockets ? join_all(group, &listener, index)
			    : group_reserve(group, &listener, index);
	if (error)
		return error;
	group->listeners[index] = listener;
	group->address_count++;
	group->listener_count += has_sockets;
	return (int)index;
}

int sticky_group_listen_socket(struct sticky_group *group, int fd)
{
	int result;

	if (group_is_inherited(group))
		return -ECHILD;
	group_lock(group);
	result = listen_socket_locked(group, fd);
	group_unlock(group);
	return result;
}

int sticky_listen(const char *address, uint32_t backlog)
{
	struct listen_spec spec;
	struct listener listener;
	int fd, error = listen_spec_parse(address, &spec);

	if (!error && backlog > INT32_MAX)
		error = -EINVAL;
	if (!error)
		error = listener_resolve(&spec, backlog ? (int)backlog : GROUP_DEFAULT_BACKLOG,
					 &listener);
	if (!error)
		error = listener_check_free(&listener);
	if (error)
		return error;
	fd = listener_bind(&listener);
	if (fd < 0)
		return fd;
	error = listener_listen(&listener, fd);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

uint32_t sticky_group_listener_count(struct sticky_group *group)
{
	uint32_t count;

	group_lock(group);
	count = group->address_count;
	group_unlock(group);
	return count;
}

int sticky_group_listener_address(struct sticky_group *group, uint32_t listener, size_t size,
				  char *ret_text)
{
	int error = -EINVAL;

	group_lock(group);
	if (listener < group->address_count && !listener_is_known(&group->listeners[listener]))
		error = snprintf(ret_text, size, "closed") < (int)size ? 0 : -ENOSPC;
	else if (listener < group->address_count)
		error = address_format((const void *)&group->listeners[listener].address, size,
				       ret_text);
	group_unlock(group);
	return error;
}
