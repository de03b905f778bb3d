// SPDX-License-Identifier: MIT
#include "supervise/takeover.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "procfs/process_group.h"
#include "procfs/process_sockets.h"
#include "policy/worker_fsm.h"

#define END_MS 1000 /* time in which a worker that was killed must end */

static int fetch(int pidfd, int number)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
}

#define PRIVATE STICKY_LISTENERS_LIMIT /* result of match(): the slot's own socket */

/* Returns the listener to which this socket of the worker belongs, PRIVATE, or -1. */
static int match(const struct worker_record *record, uint32_t listeners, int fd)
{
	uint64_t cookie;
	socklen_t length = sizeof(cookie);
	uint32_t i;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length))
		return -1;
	for (i = 0; i < listeners; i++)
		if (record->cookies[i] == cookie)
			return (int)i;
	return record->private_cookie == cookie ? PRIVATE : -1;
}

/* Fetch a descriptor of a worker. If it is one of its listening sockets, keep it and return 1. */
static uint32_t fetch_if_wanted(struct adopted_worker *adopted, uint32_t listeners, int pidfd,
				int number)
{
	int fd = fetch(pidfd, number), index;
	int *place;

	if (fd < 0)
		return 0;
	index = match(&adopted->record, listeners, fd);
	place = index == PRIVATE ? &adopted->private_fd : &adopted->fds[index < 0 ? 0 : index];
	if (index < 0 || *place >= 0) {
		close(fd);
		return 0;
	}
	*place = fd;
	return 1;
}

struct fetching {
	struct adopted_worker *adopted;
	uint32_t listeners, wanted;
	int pidfd; /* of the process that is looked at */
};

static bool fetch_one(void *context, int number, uint32_t inode)
{
	struct fetching *fetching = context;

	(void)inode;
	fetching->wanted -=
		fetch_if_wanted(fetching->adopted, fetching->listeners, fetching->pidfd, number);
	return fetching->wanted != 0;
}

/*
 * Fetch sockets from another process of the worker's process group, which the worker has started.
 */
static bool fetch_from_member(void *context, pid_t pid)
{
	struct fetching *fetching = context;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0)
		return true;
	fetching->pidfd = pidfd;
	process_each_socket(pid, fetch_one, fetching);
	close(pidfd);
	return fetching->wanted != 0;
}

/* Returns how many listening sockets the worker's processes have, as its record says. */
static uint32_t count_held(const struct worker_record *record, uint32_t listeners)
{
	uint32_t count = 0, i;

	for (i = 0; i < listeners; i++)
		count += record->cookies[i] != 0;
	return count;
}

/*
 * Fetch the listening sockets of a worker. They may have other numbers by now: all descriptors of
 * its process are looked at. If a server binds its address itself (--worker=bind), only its
 * children may have the sockets.
 */
static int fetch_sockets(struct adopted_worker *adopted, uint32_t listeners)
{
	uint32_t held = count_held(&adopted->record, listeners), i;
	struct fetching fetching = {
		.adopted = adopted,
		.listeners = listeners,
		.wanted = held + (adopted->record.private_cookie != 0),
		.pidfd = adopted->pidfd,
	};
	int error = fetching.wanted ? process_each_socket(adopted->record.pid, fetch_one, &fetching)
				    : 0;

	if (!error && fetching.wanted)
		error = process_group_each(adopted->record.pid, fetch_from_member, &fetching);
	if (error)
		return error;
	/* A worker may have closed its slot's own socket. It is taken over nevertheless. */
	for (i = 0; i < listeners; i++)
		if (adopted->record.cookies[i] && adopted->fds[i] < 0)
			return -ESRCH;
	return listeners && !held ? -ESRCH : 0;
}

static void close_worker(struct adopted_worker *adopted)
{
	uint32_t i;

	if (adopted->pidfd >= 0)
		close(adopted->pidfd);
	adopted->pidfd = -1;
	if (adopted->private_fd >= 0)
		close(adopted->private_fd);
	adopted->private_fd = -1;
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++) {
		if (adopted->fds[i] >= 0)
			close(adopted->fds[i]);
		adopted->fds[i] = -1;
	}
}

static void check_sent(const struct worker_record *record, int error)
{
	if (error && error != ESRCH)
		report(STICKY_LOG_WARN, "kill_failed", "slot=%u pid=%d error=\"%s\"", record->slot,
		       record->pid, strerror(error));
}

/* Kill the worker's process group, and the worker itself, which may have left that group. */
static void kill_worker(const struct adopted_worker *adopted)
{
	const struct worker_record *record = &adopted->record;

	check_sent(record, kill(-record->pid, SIGKILL) ? errno : 0);
	check_sent(record,
		   syscall(SYS_pidfd_send_signal, adopted->pidfd, SIGKILL, NULL, 0) ? errno : 0);
}

/* Wait until a worker that was killed has ended: until then it keeps its addresses bound. */
static void await_end(const struct adopted_worker *adopted)
{
	struct pollfd poller = {.fd = adopted->pidfd, .events = POLLIN};

	poll(&poller, 1, END_MS);
}

/*
 * Open a pidfd of the recorded process, if it still runs. The pidfd is opened before the start time
 * is compared: it can then not mean a later process with the same pid.
 */
static int open_worker(const struct worker_record *record, struct adopted_worker *ret_worker)
{
	struct adopted_worker adopted = {.record = *record, .private_fd = -1};
	uint32_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		adopted.fds[i] = -1;
	adopted.pidfd = (int)syscall(SYS_pidfd_open, record->pid, 0);
	if (adopted.pidfd < 0)
		return -errno;
	if (record->process_start &&
	    state_file_process_start(record->pid) != record->process_start) {
		close_worker(&adopted);
		return -ESRCH;
	}
	*ret_worker = adopted;
	return 0;
}

/* Returns true if the worker is to be taken over. */
static bool take_worker(const struct worker_record *record, uint32_t listeners,
			struct adopted_worker *ret_worker)
{
	if (!record->used || record->slot >= STICKY_SLOTS_LIMIT || record->pid <= 1 ||
	    open_worker(record, ret_worker))
		return false;
	if (record->state == WORKER_DRAINING) {
		/* This worker may be the only process that still has its slot's own socket. */
		if (record->private_cookie)
			fetch_sockets(ret_worker, 0);
		return true;
	}
	if (record->state == WORKER_READY && !fetch_sockets(ret_worker, listeners))
		return true;
	/* If the start time of its process was not recorded yet, its sockets identify it. */
	if (record->process_start || !fetch_sockets(ret_worker, listeners)) {
		kill_worker(ret_worker);
		await_end(ret_worker);
	}
	close_worker(ret_worker);
	return false;
}

static int take_workers(struct takeover *takeover)
{
	const struct state_file_content *content = takeover->content;
	uint32_t i;

	takeover->workers = calloc(STATE_FILE_WORKERS, sizeof(*takeover->workers));
	if (!takeover->workers)
		return -ENOMEM;
	for (i = 0; i < STATE_FILE_WORKERS; i++)
		takeover->count += take_worker(&content->worker[i], content->listeners,
					       &takeover->workers[takeover->count]);
	for (i = 0; i < content->listeners; i++)
		if (takeover_socket(takeover, i) >= 0)
			return 0;
	return -ENOENT;
}

int takeover_find(const char *path, struct takeover *ret_takeover)
{
	struct takeover takeover = {0};
	int error = state_file_read(path, &takeover.content);

	if (!error)
		error = take_workers(&takeover);
	if (error) {
		takeover_kill(&takeover);
		takeover_fini(&takeover);
		return error;
	}
	*ret_takeover = takeover;
	return 0;
}

bool takeover_has_ended(const struct takeover *takeover, const struct worker_record *record)
{
	uint32_t i;

	if (!record->used || record->slot >= STICKY_SLOTS_LIMIT)
		return false;
	for (i = 0; i < takeover->count; i++)
		if (takeover->workers[i].record.pid == record->pid)
			return false;
	return true;
}

int takeover_socket(const struct takeover *takeover, uint32_t listener)
{
	uint32_t i;

	for (i = 0; i < takeover->count; i++)
		if (takeover->workers[i].fds[listener] >= 0)
			return takeover->workers[i].fds[listener];
	return -1;
}

void takeover_kill(const struct takeover *takeover)
{
	uint32_t i;

	for (i = 0; i < takeover->count; i++)
		kill_worker(&takeover->workers[i]);
	for (i = 0; i < takeover->count; i++)
		await_end(&takeover->workers[i]);
}

void takeover_fini(struct takeover *takeover)
{
	uint32_t i;

	for (i = 0; i < takeover->count; i++)
		close_worker(&takeover->workers[i]);
	free(takeover->workers);
	free(takeover->content);
	*takeover = (struct takeover){0};
}
