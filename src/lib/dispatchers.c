// SPDX-License-Identifier: MIT
/*
 * Listening sockets for the dispatchers, and the list of trusted proxies whose connections they
 * receive.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/group_internal.h"

struct sticky_dispatchers {
	struct sticky_group *group;
	uint32_t count;
	struct socket_set sets[STICKY_DISPATCHERS_LIMIT];
};

static int open_socket(const struct sticky_group *group, const struct listener *listener)
{
	int fd = listener_bind(listener);
	int error;

	if (fd < 0)
		return fd;
	error = fcntl(fd, F_SETFL, O_NONBLOCK) ? -errno : group_listen_on(group, listener, fd);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

static int open_set(struct sticky_group *group, uint32_t index, struct socket_set *set)
{
	uint32_t i;
	int fd, error;

	for (i = 0; i < group->address_count; i++) {
		fd = open_socket(group, &group->listeners[i]);
		if (fd < 0)
			return fd;
		set->fd[i] = fd;
		error = engine_put(group->engine, i, STICKY_SLOTS_MAX + index, fd);
		if (error)
			return error;
	}
	return 0;
}

static void close_sets(struct sticky_dispatchers *dispatchers)
{
	uint32_t index;

	for (index = 0; index < dispatchers->count; index++)
		socket_set_close(&dispatchers->sets[index]);
}

/*
 * With STICKY_ENGINE_USER an address is only bound at this point. Another group of the same uid may
 * have bound it, too. The group that listens first gets it.
 */
static int check_free(const struct sticky_group *group)
{
	uint32_t i;
	int error = 0;

	if (engine_can(group->engine, STICKY_CAN_GIVE_SOCKETS))
		return 0;
	for (i = 0; i < group->address_count && !error; i++)
		error = listener_check_free(&group->listeners[i]);
	return error;
}

static int open_locked(struct sticky_group *group, struct sticky_dispatchers *dispatchers)
{
	uint32_t index;
	int error;

	if (!engine_can(group->engine, STICKY_CAN_DISPATCH))
		return -EOPNOTSUPP;
	if (!group->address_count)
		return -EDESTADDRREQ;
	if (group->dispatchers)
		return -EBUSY;
	if (group->refusing)
		return -ESHUTDOWN;
	error = check_free(group);
	for (index = 0; index < dispatchers->count; index++)
		socket_set_init(&dispatchers->sets[index]);
	for (index = 0; index < dispatchers->count && !error; index++)
		error = open_set(group, index, &dispatchers->sets[index]);
	if (!error)
		error = engine_set_dispatchers(group->engine, dispatchers->count);
	if (error)
		close_sets(dispatchers);
	else
		group->dispatchers = dispatchers;
	return error;
}

int sticky_dispatchers_open(struct sticky_group *group, uint32_t count,
			    struct sticky_dispatchers **ret_dispatchers)
{
	struct sticky_dispatchers *dispatchers;
	int error;

	if (group_is_inherited(group))
		return -ECHILD;
	if (count < 1 || count > STICKY_DISPATCHERS_LIMIT)
		return -EINVAL;
	dispatchers = calloc(1, sizeof(*dispatchers));
	if (!dispatchers)
		return -ENOMEM;
	dispatchers->group = group;
	dispatchers->count = count;
	group_lock(group);
	error = open_locked(group, dispatchers);
	group_unlock(group);
	if (error) {
		free(dispatchers);
		return error;
	}
	*ret_dispatchers = dispatchers;
	return 0;
}

int sticky_dispatchers_fd(const struct sticky_dispatchers *dispatchers, uint32_t dispatcher,
			  uint32_t listener)
{
	/* This needs no lock: count and sockets do not change from the opening to the closing. */
	if (dispatcher >= dispatchers->count || listener >= STICKY_LISTENERS_LIMIT ||
	    dispatchers->sets[dispatcher].fd[listener] < 0)
		return -EINVAL;
	return dispatchers->sets[dispatcher].fd[listener];
}

void dispatchers_refuse(struct sticky_group *group)
{
	uint32_t listener, index;

	if (!group->dispatchers)
		return;
	for (listener = 0; listener < group->address_count; listener++)
		for (index = 0; index < group->dispatchers->count; index++)
			engine_empty(group->engine, listener, STICKY_SLOTS_MAX + index);
}

void sticky_dispatchers_close(struct sticky_dispatchers *dispatchers)
{
	struct sticky_group *group;

	if (!dispatchers)
		return;
	group = dispatchers->group;
	group_lock(group);
	if (!group_is_inherited(group))
		dispatchers_refuse(group);
	close_sets(dispatchers);
	group->dispatchers = NULL;
	group_unlock(group);
	free(dispatchers);
}

int sticky_group_set_proxies(struct sticky_group *group, const struct sticky_prefix *proxies,
			     size_t count, bool may_go_direct)
{
	size_t i;
	int error;

	if (group_is_inherited(group))
		return -ECHILD;
	if (count > STICKY_PROXIES_LIMIT)
		return -E2BIG;
	for (i = 0; i < count; i++)
		if (proxies[i].bits > 128)
			return -EINVAL;
	if (count && !engine_can(group->engine, STICKY_CAN_DISPATCH))
		return -EOPNOTSUPP;
	group_lock(group);
	error = engine_set_proxies(group->engine, proxies, count, may_go_direct);
	group_unlock(group);
	return error;
}

int sticky_group_set_sample(struct sticky_group *group, uint32_t one_in)
{
	int error;

	if (group_is_inherited(group))
		return -ECHILD;
	if (one_in & (one_in - 1) || one_in == 1)
		return -EINVAL;
	if (one_in && !engine_can(group->engine, STICKY_CAN_DISPATCH))
		return -EOPNOTSUPP;
	group_lock(group);
	error = engine_set_sample(group->engine, one_in);
	group_unlock(group);
	return error;
}
