// SPDX-License-Identifier: MIT
#include "demo/demo_thread.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uthash.h>

#include "api/http_accept.h"
#include "demo/demo_answer.h"
#include "common/clock.h"
#include "rights/privilege.h"

#define HEADERS_MAX  16384
#define BODY_MAX     65536
#define IDLE_SECONDS 15
/* at a stop: the time for which connections without a request are kept */
#define SILENCE_SECONDS 1

/* A client's connection that has sent a request and is still open. */
struct connection {
	struct demo_thread *thread;
	struct evhttp_connection *http; /* key of the hash table */
	UT_hash_handle hh;
};

struct demo_thread {
	struct sticky_group *group;
	uint32_t slot;
	uint64_t generation;
	int sockets[STICKY_LISTENERS_LIMIT]; /* -1 after libevent has taken the descriptor over */
	int notify_fd;
	pthread_t thread;
	int wake_fd; /* eventfd: one of the two flags below was set */
	atomic_bool stop_wanted;
	atomic_bool kill_wanted;
	atomic_int state; /* enum demo_thread_state */
	atomic_int id;
	atomic_uint connection_count;
	atomic_ullong cpu_ms; /* set when the thread ends; before that its CPU clock is read */

	/* The fields below are used by this thread alone. */
	struct event_base *base;
	struct event *wake;
	struct evhttp *http;
	struct connection *connections;
	uint64_t accepted_count;
	uint64_t asked_count;
	/* at a stop: connections without a request are not kept any longer */
	bool silence_is_over;
	bool stopping;
	uint64_t served;
};

static void set_state(struct demo_thread *thread, enum demo_thread_state state)
{
	uint64_t one = 1;
	ssize_t written;

	atomic_store(&thread->state, state);
	written = write(thread->notify_fd, &one, sizeof(one));
	(void)written; /* an eventfd's counter can't overflow by these writes */
}

/* ---- Connections ---------------------------------------------------------------- */

/* Can there be an accepted connection on which no request has arrived yet? */
static bool has_silent_ones(const struct demo_thread *thread)
{
	return thread->accepted_count != thread->asked_count && !thread->silence_is_over;
}

static void end_if_idle(struct demo_thread *thread)
{
	if (thread->stopping && !thread->connections && !has_silent_ones(thread))
		event_base_loopbreak(thread->base);
}

static void on_connection_closed(struct evhttp_connection *http, void *context)
{
	struct connection *connection = context;
	struct demo_thread *thread = connection->thread;

	(void)http;
	HASH_DEL(thread->connections, connection);
	free(connection);
	atomic_fetch_sub(&thread->connection_count, 1);
	end_if_idle(thread);
}

/* Make the stream of a connection that libevent has accepted. */
static struct bufferevent *on_accepted(struct event_base *base, void *context)
{
	struct demo_thread *thread = context;

	thread->accepted_count++;
	return accepting_make_stream(base, NULL);
}

/*
 * Note a connection at its first request, as libevent 2.1 has no callback that names a new
 * connection.
 */
static void note_connection(struct demo_thread *thread, struct evhttp_connection *http)
{
	struct connection *connection;

	HASH_FIND_PTR(thread->connections, &http, connection);
	if (connection)
		return;
	thread->asked_count++;
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return; /* the request is served all the same, but the connection is not counted */
	connection->thread = thread;
	connection->http = http;
	HASH_ADD_PTR(thread->connections, http, connection);
	atomic_fetch_add(&thread->connection_count, 1);
	evhttp_connection_set_closecb(http, on_connection_closed, connection);
}

/*
 * Can the connection be closed without a loss? It can if no request has been read in part, and no
 * answer has been written in part.
 */
static bool is_idle(const struct connection *connection)
{
	struct bufferevent *stream = evhttp_connection_get_bufferevent(connection->http);

	return evbuffer_get_length(bufferevent_get_input(stream)) == 0 &&
	       evbuffer_get_length(bufferevent_get_output(stream)) == 0;
}

static void on_request(struct evhttp_request *request, void *context)
{
	struct demo_thread *thread = context;

	note_connection(thread, evhttp_request_get_connection(request));
	if (thread->stopping)
		evhttp_add_header(evhttp_request_get_output_headers(request), "Connection",
				  "close");
	if (demo_answer(request, thread->group,
			&(const struct demo_facts){
				.slot = thread->slot,
				.generation = thread->generation,
				.process = getpid(),
				.thread = atomic_load(&thread->id),
				.served = thread->served + 1,
			}))
		thread->served++;
}

/* ---- The thread ----------------------------------------------------------------- */

static void close_idle_connections(struct demo_thread *thread)
{
	struct connection *connection, *next;

	HASH_ITER (hh, thread->connections, connection, next) {
		/* cppcheck-suppress uninitvar; it does not see through HASH_ITER */
		if (is_idle(connection))
			evhttp_connection_free(connection->http);
	}
}

static void on_queue_accepted(evutil_socket_t fd, short what, void *context)
{
	struct demo_thread *thread = context;

	(void)fd;
	(void)what;
	close_idle_connections(thread);
	end_if_idle(thread);
}

static void on_silence_over(evutil_socket_t fd, short what, void *context)
{
	struct demo_thread *thread = context;

	(void)fd;
	(void)what;
	thread->silence_is_over = true;
	end_if_idle(thread);
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval now = {0}, silence = {.tv_sec = SILENCE_SECONDS};
	struct demo_thread *thread = context;
	uint64_t count;
	ssize_t got = read(fd, &count, sizeof(count));

	(void)got;
	(void)what;
	if (atomic_load(&thread->kill_wanted)) {
		event_base_loopbreak(thread->base);
		return;
	}
	if (!atomic_load(&thread->stop_wanted) || thread->stopping)
		return;
	/*
	 * The group refuses new connections by now. The connections that are still in the accept
	 * queue are accepted in the loop's next turn, as libevent handles sockets before timers.
	 */
	thread->stopping = true;
	if (event_base_once(thread->base, -1, EV_TIMEOUT, on_queue_accepted, thread, &now) ||
	    event_base_once(thread->base, -1, EV_TIMEOUT, on_silence_over, thread, &silence))
		event_base_loopbreak(thread->base); /* without a timer the loop would never end */
}

/* Let libevent accept from the socket of a listener; libevent owns the socket from now on. */
static int accept_from(struct demo_thread *thread, uint32_t listener)
{
	if (evutil_make_socket_nonblocking(thread->sockets[listener]) ||
	    accepting_start(thread->http, thread->sockets[listener]))
		return -ENOMEM;
	thread->sockets[listener] = -1;
	return 0;
}

static void close_sockets(struct demo_thread *thread)
{
	size_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		if (thread->sockets[i] >= 0)
			close(thread->sockets[i]);
}

static int set_up(struct demo_thread *thread)
{
	uint32_t listener;
	int error = 0;

	thread->base = event_base_new();
	thread->http = thread->base ? evhttp_new(thread->base) : NULL;
	if (!thread->http)
		return -ENOMEM;
	evhttp_set_bevcb(thread->http, on_accepted, thread);
	evhttp_set_gencb(thread->http, on_request, thread);
	evhttp_set_allowed_methods(thread->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(thread->http, HEADERS_MAX);
	evhttp_set_max_body_size(thread->http, BODY_MAX);
	evhttp_set_timeout(thread->http, IDLE_SECONDS);
	thread->wake =
		event_new(thread->base, thread->wake_fd, EV_READ | EV_PERSIST, on_wake, thread);
	if (!thread->wake || event_add(thread->wake, NULL))
		return -ENOMEM;
	for (listener = 0; listener < STICKY_LISTENERS_LIMIT && !error; listener++)
		if (thread->sockets[listener] >= 0)
			error = accept_from(thread, listener);
	return error;
}

static void *run_thread(void *context)
{
	struct demo_thread *thread = context;
	uint64_t cpu_ms;

	privilege_drop();
	atomic_store(&thread->id, gettid());
	if (set_up(thread) == 0) {
		set_state(thread, DEMO_THREAD_SERVING);
		event_base_dispatch(thread->base);
	}
	if (thread->http)
		/* closes the connections, too: each calls on_connection_closed() */
		evhttp_free(thread->http);
	if (thread->wake)
		event_free(thread->wake);
	if (thread->base)
		event_base_free(thread->base);
	close_sockets(thread);
	if (!clock_cpu_ms(CLOCK_THREAD_CPUTIME_ID, &cpu_ms))
		atomic_store(&thread->cpu_ms, cpu_ms);
	set_state(thread, DEMO_THREAD_ENDED);
	return NULL;
}

/* ---- From the controller's thread ------------------------------------------------- */

static int duplicate_sockets(struct demo_thread *thread, const struct sticky_worker *worker)
{
	uint32_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++) {
		int fd = sticky_worker_fd(worker, i);

		thread->sockets[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (fd >= 0 && thread->sockets[i] < 0)
			return errno;
	}
	return 0;
}

int demo_thread_start(struct sticky_group *group, struct sticky_worker *worker, int notify_fd,
		      struct demo_thread **ret_thread)
{
	struct demo_thread *thread = calloc(1, sizeof(*thread));
	int error;

	if (!thread)
		return -ENOMEM;
	thread->group = group;
	thread->slot = sticky_worker_slot(worker);
	thread->generation = sticky_worker_generation(worker);
	thread->notify_fd = notify_fd;
	thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = thread->wake_fd < 0 ? errno : 0;
	memset(thread->sockets, -1, sizeof(thread->sockets));
	if (!error)
		error = duplicate_sockets(thread, worker);
	if (!error)
		error = pthread_create(&thread->thread, NULL, run_thread, thread);
	if (error) {
		close_sockets(thread);
		if (thread->wake_fd >= 0)
			close(thread->wake_fd);
		free(thread);
		return -error;
	}
	*ret_thread = thread;
	return 0;
}

static void wake_thread(struct demo_thread *thread)
{
	uint64_t one = 1;
	ssize_t written = write(thread->wake_fd, &one, sizeof(one));

	(void)written;
}

void demo_thread_stop(struct demo_thread *thread)
{
	atomic_store(&thread->stop_wanted, true);
	wake_thread(thread);
}

void demo_thread_kill(struct demo_thread *thread)
{
	atomic_store(&thread->kill_wanted, true);
	wake_thread(thread);
}

void demo_thread_join(struct demo_thread *thread)
{
	pthread_join(thread->thread, NULL);
	close(thread->wake_fd);
	free(thread);
}

enum demo_thread_state demo_thread_state(const struct demo_thread *thread)
{
	return (enum demo_thread_state)atomic_load(&thread->state);
}

pid_t demo_thread_id(const struct demo_thread *thread)
{
	return atomic_load(&thread->id);
}

uint32_t demo_thread_connections(const struct demo_thread *thread)
{
	return atomic_load(&thread->connection_count);
}

uint64_t demo_thread_cpu_ms(const struct demo_thread *thread)
{
	uint64_t cpu_ms;
	clockid_t clock;

	if (demo_thread_state(thread) == DEMO_THREAD_ENDED ||
	    pthread_getcpuclockid(thread->thread, &clock) || clock_cpu_ms(clock, &cpu_ms))
		return atomic_load(&thread->cpu_ms);
	return cpu_ms;
}
