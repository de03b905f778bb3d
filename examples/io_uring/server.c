// SPDX-License-Identifier: MIT
/*
 * An HTTP server on io_uring with one thread for each slot. One request, a multishot accept on the
 * slot's socket, gives all connections (Linux 5.19).
 *
 *     server ADDRESS:PORT SLOTS        until SIGTERM
 *
 * After SIGTERM new clients are refused, and those that are there are served for up to DRAIN_MS.
 */
#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sticky.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES	 256
#define IDLE_MS	 100  /* a thread stops to accept when nothing has come for so long after SIGTERM */
#define DRAIN_MS 5000 /* how long it then waits for the requests of its clients, at most */

enum step { ACCEPTED, RECEIVED, SENT };

struct connection {
	enum step step; /* of which operation the next completion is */
	int fd;
	struct connection *next, **link; /* in the list of the thread's connections */
	char text[2048];
};

struct thread {
	pthread_t id;
	struct io_uring ring;
	struct sticky_worker *worker;
	struct connection listening;
	struct connection *connections; /* those that are open */
	bool is_accepting;
	int error;
};

static struct sticky_group *group;
static atomic_int ends;

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static struct io_uring_sqe *get_sqe(struct thread *thread)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&thread->ring);

	if (!sqe) { /* the queue is full: make room */
		io_uring_submit(&thread->ring);
		sqe = io_uring_get_sqe(&thread->ring);
	}
	return sqe;
}

static void submit(struct thread *thread, struct connection *connection)
{
	struct io_uring_sqe *sqe = get_sqe(thread);

	if (connection->step == ACCEPTED)
		io_uring_prep_multishot_accept(sqe, connection->fd, NULL, NULL, SOCK_CLOEXEC);
	else if (connection->step == RECEIVED)
		io_uring_prep_recv(sqe, connection->fd, connection->text,
				   sizeof(connection->text) - 1, 0);
	else
		io_uring_prep_send(sqe, connection->fd, connection->text, strlen(connection->text),
				   MSG_NOSIGNAL);
	io_uring_sqe_set_data(sqe, connection);
}

/* The kernel ends the accepting: its last completion says so. What is queued stays queued. */
static void stop_accepting(struct thread *thread)
{
	struct io_uring_sqe *sqe = get_sqe(thread);

	io_uring_prep_cancel(sqe, &thread->listening, 0);
	io_uring_sqe_set_data(sqe, NULL);
}

static void begin(struct thread *thread, int fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection) {
		close(fd);
		return;
	}
	connection->fd = fd;
	connection->step = RECEIVED;
	connection->next = thread->connections;
	connection->link = &thread->connections;
	if (connection->next)
		connection->next->link = &connection->next;
	thread->connections = connection;
	submit(thread, connection);
}

static void end(struct connection *connection)
{
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	close(connection->fd);
	free(connection);
}

static void continue_with(struct thread *thread, struct connection *connection, int result)
{
	if (connection->step != RECEIVED || result <= 0) {
		end(connection);
		return;
	}
	snprintf(connection->text, sizeof(connection->text),
		 "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nslot=%u gen=%llu\n",
		 sticky_worker_slot(thread->worker),
		 (unsigned long long)sticky_worker_generation(thread->worker));
	connection->step = SENT;
	submit(thread, connection);
}

/* more: the kernel goes on accepting. It ends this by itself where it is out of room, say. */
static void handle_accept(struct thread *thread, int result, bool more, bool is_ending)
{
	if (result >= 0)
		begin(thread, result);
	if (more)
		return;
	thread->is_accepting = !is_ending;
	if (!is_ending)
		submit(thread, &thread->listening);
}

static void handle_completions(struct thread *thread, bool is_ending)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&thread->ring, &cqe) == 0) {
		struct connection *connection = io_uring_cqe_get_data(cqe);
		int result = cqe->res;
		bool more = cqe->flags & IORING_CQE_F_MORE;

		io_uring_cqe_seen(&thread->ring, cqe);
		if (connection == &thread->listening)
			handle_accept(thread, result, more, is_ending);
		else if (connection)
			continue_with(thread, connection, result);
	}
}

/* After SIGTERM: until nothing more comes, and no connection is open. */
static void serve(struct thread *thread)
{
	struct __kernel_timespec idle = {.tv_nsec = IDLE_MS * 1000000};
	long long end_ms = 0; /* 0: before SIGTERM */
	bool is_ending = false;
	struct io_uring_cqe *cqe;
	int error;

	thread->is_accepting = true;
	submit(thread, &thread->listening);
	while (thread->is_accepting || thread->connections) {
		error = io_uring_submit_and_wait_timeout(&thread->ring, &cqe, 1, &idle, NULL);
		if (ends && !end_ms)
			end_ms = now_ms() + DRAIN_MS;
		if (error == -ETIME && end_ms && !is_ending) {
			stop_accepting(thread);
			is_ending = true;
		}
		handle_completions(thread, is_ending);
		if (end_ms && now_ms() > end_ms)
			return;
	}
}

static void *run(void *argument)
{
	struct thread *thread = argument;

	thread->error = io_uring_queue_init(ENTRIES, &thread->ring, 0);
	if (thread->error)
		return NULL;
	thread->listening.fd = sticky_worker_fd(thread->worker, 0);
	thread->error = sticky_worker_ready(thread->worker);
	if (!thread->error)
		serve(thread);
	/* The ring has a reference to the socket: it ends first, so that the queue can be moved. */
	io_uring_queue_exit(&thread->ring);
	while (thread->connections)
		end(thread->connections);
	return NULL;
}

int main(int count, char **arguments)
{
	struct sticky_group_options options = {.size = sizeof(options)};
	static struct thread threads[STICKY_SLOTS_LIMIT];
	struct io_uring probe;
	uint32_t slot;
	sigset_t set;
	int error, number;

	if (count != 3)
		return 2;
	error = io_uring_queue_init(ENTRIES, &probe, 0);
	if (error) {
		fprintf(stderr, "io_uring: %s\n", strerror(-error));
		return 77; /* this machine does not allow it */
	}
	io_uring_queue_exit(&probe);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	options.slots = (uint32_t)strtoul(arguments[2], NULL, 10);
	error = sticky_group_open(&options, &group);
	if (!error)
		error = sticky_group_listen(group, arguments[1]);
	for (slot = 0; slot < options.slots && error >= 0; slot++)
		error = sticky_worker_open(group, slot, &threads[slot].worker);
	for (slot = 0; slot < options.slots && error >= 0; slot++)
		error = -pthread_create(&threads[slot].id, NULL, run, &threads[slot]);
	if (error < 0) {
		fprintf(stderr, "%s: %s\n", arguments[1], sticky_strerror(error));
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	sigwait(&set, &number);
	sticky_group_refuse(group);
	ends = 1;
	for (slot = 0; slot < options.slots; slot++) {
		pthread_join(threads[slot].id, NULL);
		error |= threads[slot].error;
		sticky_worker_close(threads[slot].worker);
	}
	sticky_group_close(group);
	return error ? 1 : 0;
}
