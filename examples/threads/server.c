// SPDX-License-Identifier: MIT
/*
 * An HTTP server with one thread for each slot: a client is always served by the same thread.
 *
 *     server ADDRESS:PORT SLOTS
 *
 * SIGHUP replaces all threads, one at a time. SIGUSR1 adds a slot, SIGUSR2 removes the last one.
 * SIGTERM refuses new clients, serves those that are there, and ends. Lines on stdin do it to
 * single slots: "replace SLOT", "drain SLOT" (its clients wait), "ready SLOT". No client notices
 * any of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sticky.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define GRACE_MS 100 /* how long a thread that leaves still accepts handshakes that have begun */

struct connection {
	int fd;
	struct sockaddr_storage client;
};

struct thread {
	pthread_t id;
	uint32_t slot;
	struct sticky_worker *worker; /* NULL: the thread has left its slot */
	uint64_t generation;
	int epoll;
	int leave; /* an eventfd: the thread is to leave its slot */
	uint32_t connections;
	sem_t started; /* posted when `error` says how the start went */
	int error;
	struct thread *next; /* in the list of those that were told to leave */
};

static struct sticky_group *group;
static struct thread *threads[STICKY_SLOTS_LIMIT], *leavers;
static atomic_uint served, misplaced;

static void accept_all(struct thread *thread)
{
	int listening = sticky_worker_fd(thread->worker, 0), fd;
	struct sockaddr_storage client;
	socklen_t length = sizeof(client);

	while ((fd = accept4(listening, (void *)&client, &length, SOCK_NONBLOCK | SOCK_CLOEXEC)) >=
	       0) {
		struct connection *connection = malloc(sizeof(*connection));
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

		if (!connection || epoll_ctl(thread->epoll, EPOLL_CTL_ADD, fd, &event)) {
			free(connection);
			close(fd);
			continue;
		}
		*connection = (struct connection){.fd = fd, .client = client};
		thread->connections++;
		length = sizeof(client);
	}
}

/* A connection has one request, of which this example expects that it comes in one piece. */
static void answer(struct thread *thread, struct connection *connection)
{
	int slot = sticky_group_slot_of(group, (void *)&connection->client), length;
	char text[4096];

	if (recv(connection->fd, text, sizeof(text), 0) > 0) {
		length = snprintf(
			text, sizeof(text),
			"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nslot=%u gen=%llu lookup=%d\n",
			thread->slot, (unsigned long long)thread->generation, slot);
		served += send(connection->fd, text, (size_t)length, MSG_NOSIGNAL) == length;
		misplaced += slot != (int)thread->slot;
	}
	close(connection->fd);
	free(connection);
	thread->connections--;
}

/* The last connections are in: what comes to the socket from now on, the kernel moves. */
static void close_worker(struct thread *thread)
{
	accept_all(thread);
	epoll_ctl(thread->epoll, EPOLL_CTL_DEL, sticky_worker_fd(thread->worker, 0), NULL);
	sticky_worker_close(thread->worker);
	thread->worker = NULL;
}

static void serve(struct thread *thread)
{
	struct epoll_event events[64];
	int count, i, timeout = -1;

	while (thread->worker || thread->connections) {
		count = epoll_wait(thread->epoll, events, 64, thread->worker ? timeout : -1);
		for (i = 0; i < count; i++) {
			if (events[i].data.ptr == thread) {
				epoll_ctl(thread->epoll, EPOLL_CTL_DEL, thread->leave, NULL);
				sticky_worker_leave(thread->worker);
				timeout = GRACE_MS;
			} else if (events[i].data.ptr) {
				answer(thread, events[i].data.ptr);
			} else if (thread->worker) {
				accept_all(thread);
			}
		}
		if (count == 0)
			close_worker(thread);
	}
}

static int become_ready(struct thread *thread)
{
	struct epoll_event listening = {.events = EPOLLIN}, leave = {.events = EPOLLIN};
	int error = sticky_worker_open(group, thread->slot, &thread->worker);

	if (error)
		return error;
	leave.data.ptr = thread;
	thread->generation = sticky_worker_generation(thread->worker);
	if (fcntl(sticky_worker_fd(thread->worker, 0), F_SETFL, O_NONBLOCK) ||
	    epoll_ctl(thread->epoll, EPOLL_CTL_ADD, thread->leave, &leave) ||
	    epoll_ctl(thread->epoll, EPOLL_CTL_ADD, sticky_worker_fd(thread->worker, 0),
		      &listening))
		return -errno;
	return sticky_worker_ready(thread->worker);
}

static void *run(void *argument)
{
	struct thread *thread = argument;
	int error = thread->error = become_ready(thread);

	sem_post(&thread->started);
	if (!error)
		serve(thread);
	sticky_worker_close(thread->worker);
	return NULL;
}

static void destroy(struct thread *thread)
{
	close(thread->epoll);
	close(thread->leave);
	sem_destroy(&thread->started);
	free(thread);
}

/* Join the threads that have ended; with `wait` all of those that were told to leave. */
static void reap(int wait)
{
	struct thread **link = &leavers, *thread;

	while ((thread = *link)) {
		if (wait ? pthread_join(thread->id, NULL) : pthread_tryjoin_np(thread->id, NULL)) {
			link = &thread->next;
			continue;
		}
		*link = thread->next;
		destroy(thread);
	}
}

static void drain(uint32_t slot)
{
	if (!threads[slot])
		return;
	eventfd_write(threads[slot]->leave, 1);
	threads[slot]->next = leavers;
	leavers = threads[slot];
	threads[slot] = NULL;
}

/* Start a thread for a slot. When it is ready, its predecessor is told to leave. */
static int replace(uint32_t slot)
{
	struct thread *thread = calloc(1, sizeof(*thread));

	if (!thread)
		return -ENOMEM;
	thread->slot = slot;
	thread->epoll = epoll_create1(EPOLL_CLOEXEC);
	thread->leave = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sem_init(&thread->started, 0, 0);
	if (pthread_create(&thread->id, NULL, run, thread)) {
		destroy(thread);
		return -EAGAIN;
	}
	while (sem_wait(&thread->started))
		;
	if (thread->error) {
		fprintf(stderr, "slot %u: %s\n", slot, sticky_strerror(thread->error));
		pthread_join(thread->id, NULL);
		destroy(thread);
		return -1;
	}
	drain(slot);
	threads[slot] = thread;
	return 0;
}

static void resize(uint32_t slots)
{
	uint32_t before = sticky_group_slots(group);
	int moved = slots < 1 || slots > STICKY_SLOTS_LIMIT ? -EINVAL
							    : sticky_group_set_slots(group, slots);

	if (moved < 0)
		fprintf(stderr, "%u slots: %s\n", slots, sticky_strerror(moved));
	else if (slots > before)
		replace(before);
	else
		drain(slots); /* the slot's clients belong to the others by now */
}

/* Returns 0 when the server is to end. */
static int handle_signal(int signals)
{
	struct signalfd_siginfo signal;
	uint32_t slot;

	if (read(signals, &signal, sizeof(signal)) != sizeof(signal))
		return 1;
	if (signal.ssi_signo == SIGHUP)
		for (slot = 0; slot < sticky_group_slots(group); slot++)
			replace(slot);
	else if (signal.ssi_signo == SIGUSR1)
		resize(sticky_group_slots(group) + 1);
	else if (signal.ssi_signo == SIGUSR2)
		resize(sticky_group_slots(group) - 1);
	return signal.ssi_signo != SIGTERM;
}

/* Returns 0 at the end of stdin. */
static int handle_line(void)
{
	char line[64], word[16];
	unsigned int slot;

	if (!fgets(line, sizeof(line), stdin))
		return 0;
	if (sscanf(line, "%15s %u", word, &slot) != 2 || slot >= sticky_group_slots(group))
		fprintf(stderr, "not a command: %s", line);
	else if (!strcmp(word, "drain"))
		drain(slot);
	else if (!strcmp(word, "replace") || (!strcmp(word, "ready") && !threads[slot]))
		replace(slot);
	printf("done %s", line);
	return 1;
}

static void control(int signals)
{
	struct pollfd polled[] = {{.fd = signals, .events = POLLIN},
				  {.fd = STDIN_FILENO, .events = POLLIN}};

	for (;;) {
		poll(polled, 2, 1000);
		if (polled[0].revents && !handle_signal(signals))
			return;
		if (polled[1].revents && !handle_line())
			polled[1].fd = -1;
		reap(0);
	}
}

static int open_group(const char *address, uint32_t slots)
{
	struct sticky_group_options options = {.size = sizeof(options), .slots = slots};
	char why[STICKY_EXPLANATION_SIZE];
	int error = sticky_group_open(&options, &group);

	if (error) {
		sticky_explain(error, sizeof(why), why);
		fprintf(stderr, "%s\n", why);
		return error;
	}
	error = sticky_group_listen(group, address);
	if (error < 0)
		fprintf(stderr, "%s: %s\n", address, sticky_strerror(error));
	return error;
}

int main(int count, char **arguments)
{
	uint32_t slots = count == 3 ? (uint32_t)strtoul(arguments[2], NULL, 10) : 0, slot;
	sigset_t set;

	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0); /* poll() knows nothing of a buffer */
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* before the first thread, which inherits it */
	if (!slots || open_group(arguments[1], slots) < 0)
		return 1;
	for (slot = 0; slot < slots; slot++)
		if (replace(slot))
			return 1;
	printf("ready\n");
	control(signalfd(-1, &set, SFD_CLOEXEC));
	sticky_group_refuse(group); /* new clients are refused; the queues are still served */
	for (slot = 0; slot < STICKY_SLOTS_LIMIT; slot++)
		drain(slot);
	reap(1);
	sticky_group_close(group);
	printf("served %u, in another slot than that of the look-up: %u\n", served, misplaced);
	return 0;
}
