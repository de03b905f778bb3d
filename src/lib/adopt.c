// SPDX-License-Identifier: MIT
/* Export and import of a group, by which another process can take it over. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/group_internal.h"

int sticky_group_pin(struct sticky_group *group, const char *directory)
{
	int error;

	if (group_is_inherited(group))
		return -ECHILD;
	group_lock(group);
	error = engine_pin(group->engine, directory);
	group_unlock(group);
	return error;
}

int sticky_group_adopt(const struct sticky_group_options *options, const char *directory,
		       struct sticky_group **ret_group)
{
	struct sticky_group_options opts;
	struct sticky_group *group;
	int error = group_copy_options(options, &opts);

	if (error)
		return error;
	group = group_new(&opts);
	if (!group)
		return -ENOMEM;
	if (!group->backlog)
		group->backlog = GROUP_DEFAULT_BACKLOG;
	error = engine_adopt(directory, &group->access, &group->log, &group->engine);
	if (error) {
		sticky_group_close(group);
		return error;
	}
	group->adopting = true;
	lookup_begin(group);
	group->slot_count = engine_settings(group->engine)->slots;
	group_learn_of_wake_ups(group);
	/*
	 * The maps do not say which slots were away. Therefore the next apply writes the table in
	 * any case.
	 */
	group->table_is_stale = true;
	*ret_group = group;
	return 0;
}

int group_learn_listener(const struct sticky_group *group, int fd, struct listener *ret_listener)
{
	struct listener listener = {.preparation = group->preparation,
				    .backlog = (int)group->backlog};
	int v6_only = 0, is_listening = 0;
	socklen_t length = sizeof(is_listening);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length))
		return -errno;
	if (!is_listening)
		return -EINVAL;
	if (listener_learn(&listener, fd))
		return -EINVAL;
	length = sizeof(v6_only);
	if (listener.address.ss_family == AF_INET6 &&
	    getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &length))
		return -errno;
	listener.preparation.listener = group->address_count;
	listener.dual_stack = listener.address.ss_family == AF_INET6 && !v6_only;
	*ret_listener = listener;
	return 0;
}

int sticky_group_adopt_listener(struct sticky_group *group, int fd)
{
	struct listener listener = {.address = {.ss_family = AF_UNSPEC}};
	int index;

	if (group_is_inherited(group))
		return -ECHILD;
	group_lock(group);
	if (fd >= 0)
		index = group_learn_listener(group, fd, &listener);
	else
		index = group->adopting ? 0 : -EBADF;
	if (!index)
		index = engine_adopt_listener(group->engine, fd);
	if (index >= 0) {
		group->listeners[group->address_count++] = listener;
		group->listener_count = group->address_count;
	}
	group_unlock(group);
	return index;
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie;
	socklen_t length = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) ? 0 : cookie;
}

/* Does the worker that has the slot have this socket already? */
static bool is_adopted(const struct sticky_group *group, uint32_t slot, uint32_t listener, int fd)
{
	const struct sticky_worker *owner = group->slots[slot].owner;

	return owner && owner->sockets.fd[listener] >= 0 &&
	       cookie_of(owner->sockets.fd[listener]) == cookie_of(fd);
}

/* Can this be the socket of a worker for the listener? Returns 0 or -errno. */
static int check_socket(const struct sticky_group *group, uint32_t slot, uint32_t listener, int fd)
{
	const struct listener *what = &group->listeners[listener];
	struct listener own = {.length = 0};
	socklen_t length = sizeof(int);
	int family, error;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length))
		return errno == EBADF ? -EINVAL : -errno;
	if (listener_is_known(what) && family != what->address.ss_family)
		return -EAFNOSUPPORT;
	error = listener_learn(&own, fd);
	if (error)
		return error;
	if (!listener_is_same(&own, what))
		return -EADDRNOTAVAIL;
	return is_adopted(group, slot, listener, fd) ? -EBUSY : 0;
}

static bool has_entry(const struct sticky_group *group, uint32_t slot, uint32_t listener, int fd)
{
	uint64_t entry;

	return engine_cookie(group->engine, listener, slot, &entry) == 0 && entry == cookie_of(fd);
}

static int duplicate(const struct sticky_group *group, const int *fds, struct socket_set *ret_set)
{
	struct socket_set set;
	uint32_t i;

	socket_set_init(&set);
	for (i = 0; i < group->listener_count; i++) {
		set.fd[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (fds[i] >= 0 && set.fd[i] < 0) {
			int error = errno == EBADF ? -EINVAL : -errno;

			socket_set_close(&set);
			return error;
		}
	}
	*ret_set = set;
	return 0;
}

static int adopt_worker(struct sticky_group *group, struct sticky_worker *worker, const int *fds)
{
	struct slot *slot = &group->slots[worker->slot];
	bool has_slot = true, has_any = false;
	uint32_t i;
	int error = 0;

	for (i = 0; i < group->listener_count && !error; i++)
		if (fds[i] >= 0)
			error = check_socket(group, worker->slot, i, fds[i]);
	if (!error)
		error = duplicate(group, fds, &worker->sockets);
	if (error)
		return error;
	for (i = 0; i < group->listener_count; i++) {
		if (worker->sockets.fd[i] < 0)
			continue;
		has_any = true;
		has_slot &= has_entry(group, worker->slot, i, worker->sockets.fd[i]);
	}
	has_slot &= has_any || !group->listener_count;
	if (slot->generation < worker->generation)
		slot->generation = worker->generation;
	group_add_worker(group, worker);
	if (has_slot && worker->slot < group->slot_count)
		slot->owner = worker;
	return slot->owner == worker;
}

int sticky_worker_adopt(struct sticky_group *group, uint32_t slot, uint64_t generation,
			const int *fds, struct sticky_worker **ret_worker)
{
	struct sticky_worker *worker;
	int result;

	if (group_is_inherited(group))
		return -ECHILD;
	if (slot >= STICKY_SLOTS_LIMIT)
		return -EINVAL;
	worker = calloc(1, sizeof(*worker));
	if (!worker)
		return -ENOMEM;
	worker->group = group;
	worker->is_open = true;
	worker->slot = slot;
	worker->generation = generation;
	group_lock(group);
	result = adopt_worker(group, worker, fds);
	group_unlock(group);
	if (result < 0) {
		free(worker);
		return result;
	}
	*ret_worker = worker;
	return result;
}

int sticky_slot_adopt(struct sticky_group *group, uint32_t slot, uint64_t generation)
{
	if (slot >= STICKY_SLOTS_LIMIT)
		return -EINVAL;
	if (group_is_inherited(group))
		return -ECHILD;
	group_lock(group);
	if (group->slots[slot].generation < generation)
		group->slots[slot].generation = generation;
	group_unlock(group);
	return 0;
}

int sticky_group_finish_adoption(struct sticky_group *group)
{
	uint32_t i;
	int error = 0;

	if (group_is_inherited(group))
		return -ECHILD;
	group_lock(group);
	for (i = 0; i < group->slot_count && !error; i++)
		if (!group->slots[i].owner)
			error = slot_add(group, i);
	for (i = 0; i < group->listener_count && !error; i++)
		if (listener_is_known(&group->listeners[i]))
			error = engine_restore(group->engine, i, &group->listeners[i]);
	/*
	 * The previous process may have had dispatchers. They have ended, and this process may not
	 * want any.
	 */
	if (!error && !group->dispatchers)
		error = engine_set_dispatchers(group->engine, 0);
	group->adopting = error != 0;
	group_unlock(group);
	return error;
}
