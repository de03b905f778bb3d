// SPDX-License-Identifier: MIT
/* The workers of a group. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/group_internal.h"

void group_add_worker(struct sticky_group *group, struct sticky_worker *worker)
{
	worker->next = group->workers;
	group->workers = worker;
}

void group_remove_worker(struct sticky_group *group, const struct sticky_worker *worker)
{
	struct sticky_worker **link = &group->workers;

	while (*link && *link != worker)
		link = &(*link)->next;
	if (*link)
		*link = worker->next;
}

static int open_locked(struct sticky_group *group, uint32_t slot, struct sticky_worker *worker)
{
	int error;

	if (slot >= group->slot_count)
		return -EINVAL;
	error = group_shares_sockets(group) ? shared_open_worker(group, slot, &worker->sockets)
					    : socket_set_open(group, &worker->sockets);
	if (error)
		return error;
	worker->group = group;
	worker->is_open = true;
	worker->slot = slot;
	worker->generation = ++group->slots[slot].generation;
	group_add_worker(group, worker);
	return 0;
}

int sticky_worker_open(struct sticky_group *group, uint32_t slot, struct sticky_worker **ret_worker)
{
	struct sticky_worker *worker;
	int error;

	if (group_is_inherited(group))
		return -ECHILD;
	worker = calloc(1, sizeof(*worker));
	if (!worker)
		return -ENOMEM;
	group_lock(group);
	error = open_locked(group, slot, worker);
	group_unlock(group);
	if (error) {
		free(worker);
		return error;
	}
	*ret_worker = worker;
	return 0;
}

uint32_t sticky_worker_slot(const struct sticky_worker *worker)
{
	worker_check(worker, __func__);
	return worker->slot;
}

uint64_t sticky_worker_generation(const struct sticky_worker *worker)
{
	worker_check(worker, __func__);
	return worker->generation;
}

int sticky_worker_fd(const struct sticky_worker *worker, uint32_t listener)
{
	int fd;

	worker_check(worker, __func__);
	if (listener >= STICKY_LISTENERS_LIMIT)
		return -EINVAL;
	/* Another thread may be adding a listener. */
	group_lock(worker->group);
	fd = worker->sockets.fd[listener];
	group_unlock(worker->group);
	return fd < 0 ? -EINVAL : fd;
}

uint32_t sticky_worker_queue(const struct sticky_worker *worker)
{
	uint32_t queue;

	worker_check(worker, __func__);
	group_lock(worker->group);
	queue = socket_set_queue(worker->group, &worker->sockets);
	group_unlock(worker->group);
	return queue;
}

/* Send the clients of the worker's slot who connect to this listener elsewhere. */
static int empty_entry(const struct sticky_worker *worker, uint32_t listener)
{
	struct sticky_group *group = worker->group;
	int error;

	if (group->slots[worker->slot].owner != worker)
		return 0;
	error = engine_empty(group->engine, listener, worker->slot);
	return error ? error : engine_commit(group->engine, listener);
}

/* The socket is closed in a moment; the kernel then moves its queue to other slots. */
static int stop_serving(struct sticky_worker *worker, uint32_t listener)
{
	struct sticky_group *group = worker->group;
	struct socket_set dropped;
	int error = empty_entry(worker, listener);

	if (error)
		return error;
	socket_set_init(&dropped);
	dropped.fd[listener] = worker->sockets.fd[listener];
	worker->sockets.fd[listener] = -1;
	deferred_close_add(group, worker->slot, &dropped);
	return 0;
}

static int begin_serving(struct sticky_worker *worker, uint32_t listener)
{
	struct sticky_group *group = worker->group;
	struct socket_set opened;
	int error;

	socket_set_init(&opened);
	if (group_shares_sockets(group))
		error = socket_set_duplicate_one(&group->slots[worker->slot].holding, listener,
						 &opened);
	else
		error = socket_set_open_one(group, listener, &opened);
	if (!error && group->slots[worker->slot].owner == worker)
		error = engine_put(group->engine, listener, worker->slot, opened.fd[listener]);
	if (!error)
		error = engine_commit(group->engine, listener);
	if (error) {
		socket_set_close(&opened);
		return error;
	}
	worker->sockets.fd[listener] = opened.fd[listener];
	return 0;
}

static int serve_locked(struct sticky_worker *worker, uint32_t listener, bool serves)
{
	if (listener >= worker->group->listener_count ||
	    !listener_is_known(&worker->group->listeners[listener]))
		return -EINVAL;
	if (worker->group->refusing)
		return -ESHUTDOWN;
	if (serves == (worker->sockets.fd[listener] >= 0))
		return 0;
	return serves ? begin_serving(worker, listener) : stop_serving(worker, listener);
}

int sticky_worker_serve(struct sticky_worker *worker, uint32_t listener, int serves)
{
	int error;

	worker_check(worker, __func__);
	if (group_is_inherited(worker->group))
		return -ECHILD;
	group_lock(worker->group);
	error = serve_locked(worker, listener, serves != 0);
	shared_watch(worker->group, worker->slot);
	group_unlock_and_settle(worker->group);
	return error;
}

static int ready_locked(struct sticky_worker *worker)
{
	struct sticky_group *group = worker->group;
	struct slot *slot = &group->slots[worker->slot];
	bool was_held = !slot->owner;
	int error;

	if (slot->owner == worker)
		return 0;
	if (group->refusing)
		return -ESHUTDOWN;
	error = slot_give(group, worker->slot, &worker->sockets);
	if (error)
		return error;
	slot->owner = worker;
	if (was_held && !group_shares_sockets(group))
		deferred_close_add(group, worker->slot, &slot->holding);
	return 0;
}

int sticky_worker_ready(struct sticky_worker *worker)
{
	int error;

	worker_check(worker, __func__);
	if (group_is_inherited(worker->group))
		return -ECHILD;
	group_lock(worker->group);
	error = ready_locked(worker);
	shared_watch(worker->group, worker->slot);
	group_unlock_and_settle(worker->group);
	return error;
}

static int leave_locked(struct sticky_worker *worker)
{
	struct sticky_group *group = worker->group;
	struct slot *slot = &group->slots[worker->slot];
	int error;

	if (slot->owner != worker)
		return 0;
	/* A slot that was removed needs no holding sockets: no client is sent to it. */
	if (group->refusing || worker->slot >= group->slot_count) {
		slot->owner = NULL;
		return 0;
	}
	error = slot_hold(group, worker->slot);
	if (error)
		log_event(&group->log, STICKY_LOG_WARN, "holding_failed", "slot=%u error=\"%s\"",
			  worker->slot, strerror(-error));
	return error;
}

int sticky_worker_leave(struct sticky_worker *worker)
{
	int error;

	worker_check(worker, __func__);
	if (group_is_inherited(worker->group))
		return -ECHILD;
	group_lock(worker->group);
	error = leave_locked(worker);
	group_unlock(worker->group);
	return error;
}

static int close_locked(struct sticky_worker *worker)
{
	int error = leave_locked(worker);

	/* After an error they hold the slot, unless they are duplicates. */
	if (!error || group_shares_sockets(worker->group))
		deferred_close_add(worker->group, worker->slot, &worker->sockets);
	group_remove_worker(worker->group, worker);
	return error;
}

int sticky_worker_close(struct sticky_worker *worker)
{
	struct sticky_group *group;
	int error;

	if (!worker)
		return 0;
	worker_check(worker, __func__);
	group = worker->group;
	if (group_is_inherited(group)) {
		/* The parent has the slot: only the descriptors of this process are closed. */
		socket_set_close(&worker->sockets);
		group_remove_worker(group, worker);
		worker_retire(worker);
		return 0;
	}
	group_lock(group);
	error = close_locked(worker);
	group_unlock_and_settle(group);
	worker_retire(worker);
	return error;
}
