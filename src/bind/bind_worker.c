// SPDX-License-Identifier: MIT
#include "bind/bind_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bind/bind_caller.h"
#include "bind/bind_notify.h"
#include "bind/bind_reader.h"
#include "bind/bind_workers.h"
#include "common/log.h"
#include "supervise/worker.h"
#include "supervise/worker_messages.h"
#include "wire/fd_passing.h"

#define WORDS_SIZE    160
#define FIRST_SOCKET  3 /* sd_listen_fds(3) */
#define ELSEWHERE_MAX 16

struct bind_worker {
	struct bind_workers *workers;
	struct bind_worker *next;
	struct worker *worker;
	pid_t pid;
	/* the filter's descriptor is received from it; -1: it has been received */
	int channel;
	/* the filter's descriptor; -1: not received yet, or no process with the filter is left */
	int notify;
	struct event *event;   /* watches `channel`, then `notify` */
	struct bind_call call; /* the call that is being answered, while there is a reader */
	struct bind_reader *reader;
	uint32_t bound; /* listeners, one bit each */
	uint32_t listening;
	/* the last address that the worker bound and that is not steered; "": none */
	char elsewhere[BIND_ADDRESS_TEXT_SIZE];
};

/* ---- What it has yet to do to be READY --------------------------------------------------- */

static void note_why_not_ready(struct bind_worker *worker)
{
	const struct bind_listeners *listeners = &worker->workers->listeners;
	uint32_t unbound = bind_listeners_all(listeners) & ~worker->bound;
	char missing[WORDS_SIZE / 2], text[2 * WORDS_SIZE];

	/* The worker may take its sockets from LISTEN_FDS, and report itself when it is ready. */
	if (listeners->options.gives_sockets)
		return;
	bind_listeners_missing(listeners, unbound ? worker->bound : worker->listening,
			       sizeof(missing), missing);
	if (unbound || !missing[0])
		snprintf(text, sizeof(text), "it has not bound %s%s%s",
			 missing[0] ? missing : "any TCP address",
			 worker->elsewhere[0] ? ", but " : "", worker->elsewhere);
	else
		snprintf(text, sizeof(text), "it has bound %s, and not called listen()", missing);
	worker_not_ready(
		worker->worker, text,
		"name by -l the address that it binds (the port of -l is in its "
		"environment as PORT); a server that takes a socket from LISTEN_FDS wants -l "
		"and --worker=activation; a slow start wants a larger --ready-timeout");
}

/* ---- bind() and listen() ----------------------------------------------------------------- */

/*
 * Put /dev/null in the place of a socket that the worker was given as LISTEN_FDS, and does not use,
 * in the process that binds. The queue of a socket moves to the next worker when its last
 * descriptor is closed, and the worker would never close this one.
 */
static void take_back(const struct bind_worker *worker, const struct bind_call *call, int socket,
		      int number)
{
	struct bind_call given = *call;
	int null;

	if (number == call->number || !bind_caller_has(call, number, socket))
		return;
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	given.number = number;
	if (null >= 0 && bind_notify_give(worker->notify, &given, null, false))
		report(STICKY_LOG_DEBUG, "socket_not_taken_back", "slot=%u pid=%d number=%d",
		       worker_slot(worker->worker), call->tid, number);
	if (null >= 0)
		close(null);
}

/*
 * Log once that a server asked for IPv4, and got a socket of both families. Most servers do not
 * mind.
 */
static void say_family(struct bind_worker *worker, const struct bind_caller *caller, int listener)
{
	int fd = sticky_worker_fd(worker_sockets(worker->worker), (uint32_t)listener);

	if (worker->workers->family_was_said || bind_is_v6(caller->socket) || !bind_is_v6(fd))
		return;
	worker->workers->family_was_said = true;
	report(STICKY_LOG_INFO, "address_family",
	       "so=\"the server has asked for IPv4, and sees its clients as ::ffff:A.B.C.D\" "
	       "hint=\"-l 0.0.0.0:%u\"",
	       caller->address.port);
}

/*
 * Put the socket of the slot in the place of the worker's own. Returns the errno that bind() ends
 * with, or -ENOENT: the caller does not wait any more.
 */
static int give(struct bind_worker *worker, const struct bind_call *call,
		const struct bind_caller *caller, int listener)
{
	const struct sticky_worker *sockets = worker_sockets(worker->worker);
	int fd = sockets ? sticky_worker_fd(sockets, (uint32_t)listener) : -1, error;

	/* The worker has left its slot, and its successor has the address. */
	if (fd < 0)
		return EADDRINUSE;
	bind_copy_options(caller->socket, fd, caller->flags);
	error = bind_notify_give(worker->notify, call, fd, caller->flags & O_CLOEXEC);
	if (error == -ENOENT)
		return error;
	if (error) {
		report(STICKY_LOG_ERROR, "socket_not_given", "slot=%u pid=%d error=\"%s\"",
		       worker_slot(worker->worker), call->tid, strerror(-error));
		return -error;
	}
	worker->bound |= 1u << listener;
	say_family(worker, caller, listener);
	bind_listeners_say_wider(&worker->workers->listeners, &caller->address, (uint32_t)listener);
	if (worker->workers->listeners.options.gives_sockets)
		take_back(worker, call, fd, FIRST_SOCKET + listener);
	return 0;
}

static void note_elsewhere(struct bind_worker *worker, const struct bind_address *address)
{
	if (address->port)
		bind_address_format(address, worker->elsewhere);
}

/* Answer a bind(). Returns as give(), or -EOPNOTSUPP: the kernel is to do the call. */
static int on_bind(struct bind_worker *worker, const struct bind_call *call,
		   const struct bind_caller *caller)
{
	int listener =
		bind_listeners_find(&worker->workers->listeners, worker_sockets(worker->worker),
				    &caller->address, worker->bound);

	if (listener == -ENOENT) {
		note_elsewhere(worker, &caller->address);
		return -EOPNOTSUPP;
	}
	return listener < 0 ? -listener : give(worker, call, caller, listener);
}

/*
 * Log that the worker listens on an address that is not steered. The user may want this (a port for
 * metrics), or -l names another port by mistake.
 */
static void say_elsewhere(struct bind_worker *worker, int socket)
{
	struct bind_workers *workers = worker->workers;
	struct bind_address address;
	char text[BIND_ADDRESS_TEXT_SIZE];

	if (bind_listeners_read(socket, &address) || !address.port)
		return;
	bind_address_format(&address, text);
	if (!strcmp(text, workers->elsewhere) || workers->elsewhere_count == ELSEWHERE_MAX)
		return;
	workers->elsewhere_count++;
	memcpy(workers->elsewhere, text, sizeof(text));
	report(STICKY_LOG_INFO, "listens_elsewhere",
	       "slot=%u pid=%d on=%s so=\"connections to this address are not placed: -l does not "
	       "name it\"",
	       worker_slot(worker->worker), worker->pid, text);
}

/*
 * Answer a listen(). A socket of the slot listens already. Its call succeeds without being done, so
 * that the queue keeps the length that --backlog gives it. Returns as on_bind().
 */
static int on_listen(struct bind_worker *worker, const struct bind_caller *caller)
{
	const struct sticky_worker *sockets = worker_sockets(worker->worker);
	uint32_t i;
	int fd;

	for (i = 0; sockets && i < STICKY_LISTENERS_LIMIT; i++) {
		fd = sticky_worker_fd(sockets, i);
		if (fd >= 0 && bind_is_same_socket(fd, caller->socket)) {
			worker->listening |= 1u << i;
			return 0;
		}
	}
	say_elsewhere(worker, caller->socket);
	return -EOPNOTSUPP;
}

static int decide(struct bind_worker *worker, const struct bind_call *call, const void *bytes,
		  size_t length)
{
	struct bind_caller caller;
	int result;

	if (bind_caller_open(call, bytes, length, &caller))
		return -EOPNOTSUPP;
	if (!bind_notify_is_waiting(worker->notify, call))
		result = -ENOENT;
	else
		result = call->is_listen ? on_listen(worker, &caller)
					 : on_bind(worker, call, &caller);
	bind_close_duplicate(caller.socket);
	return result;
}

static void answer(struct bind_worker *worker, const struct bind_call *call, const void *bytes,
		   size_t length)
{
	uint32_t all, before = worker->listening;
	int result = decide(worker, call, bytes, length);

	if (result == -EOPNOTSUPP)
		bind_notify_continue(worker->notify, call);
	else if (result >= 0)
		bind_notify_answer(worker->notify, call, result);
	note_why_not_ready(worker);
	all = bind_listeners_all(&worker->workers->listeners);
	if (worker->listening != before && (worker->listening & worker->bound) == all)
		worker_said(worker->worker, WORKER_SAYS_LISTENING);
}

/* ---- The filter's descriptor ------------------------------------------------------------- */

static void stop_reading(struct bind_worker *worker)
{
	bind_reader_cancel(worker->reader);
	worker->reader = NULL;
	if (worker->event)
		event_free(worker->event);
	worker->event = NULL;
	if (worker->channel >= 0)
		close(worker->channel);
	worker->channel = -1;
	if (worker->notify >= 0)
		close(worker->notify);
	worker->notify = -1;
}

/*
 * Stop answering the worker's calls. The keeper answers them from now on, so that no caller waits
 * for ever.
 */
static void give_up(struct bind_worker *worker)
{
	if (worker->notify >= 0)
		keeper_let_go(worker->workers->keeper, worker->pid);
	stop_reading(worker);
}

/* Answer a bind() whose address has been read. After that the next call can be received. */
static void on_address(void *context, const void *bytes, size_t length)
{
	struct bind_worker *worker = context;

	worker->reader = NULL;
	event_add(worker->event, NULL);
	answer(worker, &worker->call, bytes, length);
}

/* Begin to read the address of a bind(). If this fails, the kernel does the call. */
static void begin_bind(struct bind_worker *worker, const struct bind_call *call)
{
	int error =
		bind_reader_start(worker->workers->base, call, on_address, worker, &worker->reader);

	worker->call = *call;
	if (!error) {
		event_del(worker->event);
		return;
	}
	report(STICKY_LOG_ERROR, "bind_not_read", "slot=%u pid=%d error=\"%s\"",
	       worker_slot(worker->worker), call->tid, strerror(-error));
	bind_notify_continue(worker->notify, call);
}

/*
 * Receive a call. One call is received in each turn of the loop, as its answer may change the
 * worker's state.
 */
static void on_call(evutil_socket_t fd, short what, void *context)
{
	struct bind_worker *worker = context;
	struct bind_call call;
	int error = bind_notify_receive(worker->notify, &call);

	(void)fd;
	(void)what;
	if (!error)
		keeper_note_call(worker->workers->keeper, worker->pid, call.id);
	if (!error && call.is_listen) {
		answer(worker, &call, NULL, 0);
	} else if (!error) {
		begin_bind(worker, &call);
	} else if (error == -EPIPE) {
		stop_reading(worker);
	} else if (error != -EAGAIN) {
		report(STICKY_LOG_ERROR, "bind_not_received", "slot=%u pid=%d error=\"%s\"",
		       worker_slot(worker->worker), worker->pid, strerror(-error));
		give_up(worker);
	}
}

static int watch(struct bind_worker *worker, int fd, event_callback_fn callback)
{
	worker->event =
		event_new(worker->workers->base, fd, EV_READ | EV_PERSIST, callback, worker);
	return worker->event && !event_add(worker->event, NULL) ? 0 : -ENOMEM;
}

static void give_to_keeper(const struct bind_worker *worker)
{
	int error = keeper_keep(worker->workers->keeper, worker->pid, worker->notify);

	if (error && error != -ENOTCONN)
		report(STICKY_LOG_WARN, "keeper_not_told", "slot=%u pid=%d error=\"%s\"",
		       worker_slot(worker->worker), worker->pid, strerror(-error));
}

/*
 * Receive the filter's descriptor, which the child sends with one byte. If the child ended before,
 * process_on_status() reports the reason.
 */
static void on_filter(evutil_socket_t fd, short what, void *context)
{
	struct bind_worker *worker = context;
	int filter = -1;
	char byte;
	ssize_t length = fd_passing_receive(fd, &byte, sizeof(byte), &filter);

	(void)what;
	if (length == -EAGAIN || length == -EINTR)
		return;
	stop_reading(worker);
	if (length <= 0 || filter < 0)
		return;
	worker->notify = filter;
	give_to_keeper(worker);
	if (watch(worker, filter, on_call))
		give_up(worker);
}

void bind_worker_keep(const struct bind_workers *workers)
{
	const struct bind_worker *worker;

	for (worker = workers->list; worker; worker = worker->next)
		if (worker->notify >= 0)
			give_to_keeper(worker);
}

/* ---- Opening and closing ----------------------------------------------------------------- */

static struct bind_worker *new_worker(struct bind_workers *workers, struct worker *worker)
{
	struct bind_worker *bind_worker = calloc(1, sizeof(*bind_worker));

	if (!bind_worker)
		return NULL;
	*bind_worker = (struct bind_worker){.workers = workers,
					    .next = workers->list,
					    .worker = worker,
					    .channel = -1,
					    .notify = -1};
	workers->list = bind_worker;
	return bind_worker;
}

int bind_worker_open(struct bind_workers *workers, struct worker *worker, int *ret_child_end,
		     struct bind_worker **ret_worker)
{
	struct bind_worker *bind_worker;
	int ends[2], error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	bind_worker = new_worker(workers, worker);
	if (!bind_worker) {
		close(ends[0]);
		close(ends[1]);
		return -ENOMEM;
	}
	bind_worker->channel = ends[0];
	error = watch(bind_worker, ends[0], on_filter);
	if (error) {
		close(ends[1]);
		bind_worker_close(bind_worker);
		return error;
	}
	note_why_not_ready(bind_worker);
	*ret_child_end = ends[1];
	*ret_worker = bind_worker;
	return 0;
}

void bind_worker_set_pid(struct bind_worker *worker, pid_t pid)
{
	worker->pid = pid;
}

int bind_worker_adopt(struct bind_workers *workers, struct worker *worker, pid_t pid,
		      struct bind_worker **ret_worker)
{
	int fd = keeper_claim(workers->keeper, pid), error;
	struct bind_worker *bind_worker;

	if (fd < 0)
		return fd;
	bind_worker = new_worker(workers, worker);
	if (!bind_worker) {
		keeper_let_go(workers->keeper, pid);
		close(fd);
		return -ENOMEM;
	}
	bind_worker->pid = pid;
	bind_worker->notify = fd;
	/* Only workers that have bound and listened on everything are taken over. */
	bind_worker->bound = bind_worker->listening = bind_listeners_all(&workers->listeners);
	error = watch(bind_worker, fd, on_call);
	if (error) {
		bind_worker_close(bind_worker);
		return error;
	}
	*ret_worker = bind_worker;
	return 0;
}

void bind_worker_close(struct bind_worker *worker)
{
	struct bind_worker **link;

	if (!worker)
		return;
	for (link = &worker->workers->list; *link != worker;)
		link = &(*link)->next;
	*link = worker->next;
	give_up(worker);
	free(worker);
}
