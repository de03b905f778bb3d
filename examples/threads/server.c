// SPDX-License-Identifier: MIT
/*
 * An HTTP server with one thread for each slot: a client is always served by the same thread.
 *
 *     server ADDRESS:PORT SLOTS
 *
 * SIGHUP replaces all threads, one at a time. SIGUSR1 adds a slot, SIGUSR2 removes the last one.
 * SIGTERM refuses new clients, serves those that are there for up to DRAIN_MS, and ends. No client
 * notices any of it.
 *
 * Read main() first, then replace() and drain(), by which a slot changes hands, then serve().
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
#include <time.h>
#include <unistd.h>

#define GRACE_MS    100	 /* how long a thread that leaves waits for handshakes that have begun */
#define DRAIN_MS    5000 /* how long it waits for the requests of its clients, at most */
#define CLIENTS_MAX 1000 /* open connections of a thread; a real server closes idle ones */

struct thread {
	uint32_t slot;
	struct sticky_worker *worker;
	atomic_bool leaves; /* it is to leave its slot; it looks every GRACE_MS */
};

static struct sticky_group *group;
static struct thread *threads[STICKY_SLOTS_LIMIT]; /* of each slot */
static unsigned int started;			   /* threads; each posts `ended` once */
static sem_t ended;

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* A connection has one request, of which this example expects that it comes in one piece. */
static void answer(const struct thread *thread, int fd)
{
	char text[4096];
	int length;

	if (recv(fd, text, sizeof(text), MSG_DONTWAIT) > 0) {
		length = snprintf(text, sizeof(text),
				  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nslot=%u gen=%llu\n",
				  thread->slot,
				  (unsigned long long)sticky_worker_generation(thread->worker));
		send(fd, text, (size_t)length, MSG_NOSIGNAL);
	}
	close(fd);
}

/* A thread ends when it was told to leave, no client of its own is open, and no more have come. */
static void serve(struct thread *thread)
{
	struct pollfd polled[1 + CLIENTS_MAX];
	long long end_ms = 0; /* 0: it was not told to leave */
	nfds_t count = 1, i;
	int ready = 1, fd;

	while (!end_ms || (now_ms() < end_ms && (count > 1 || ready))) {
		if (thread->leaves && !end_ms) { /* where nobody has the slot, it is held */
			sticky_worker_leave(thread->worker);
			end_ms = now_ms() + DRAIN_MS;
		}
		polled[0].fd = count <= CLIENTS_MAX ? sticky_worker_fd(thread->worker, 0) : -1;
		polled[0].events = POLLIN;
		ready = poll(polled, count, GRACE_MS);
		for (i = count - 1; i > 0; i--) {
			if (polled[i].revents) {
				answer(thread, polled[i].fd);
				polled[i] = polled[--count];
			}
		}
		if (!polled[0].revents)
			continue;
		fd = accept4(polled[0].fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			polled[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
	while (count > 1)
		close(polled[--count].fd);
}

static void *run(void *argument)
{
	struct thread *thread = argument;

	fcntl(sticky_worker_fd(thread->worker, 0), F_SETFL, O_NONBLOCK);
	serve(thread);
	sticky_worker_close(thread->worker); /* what is queued moves to the slot's next worker */
	free(thread);
	sem_post(&ended);
	return NULL;
}

/* Tell a slot's thread to leave. If it has no successor, the slot's clients wait for one. */
static void drain(uint32_t slot)
{
	if (threads[slot])
		threads[slot]->leaves = true;
	threads[slot] = NULL;
}

/* Start a thread for a slot. When it is ready, its predecessor is told to leave. */
static int replace(uint32_t slot)
{
	struct thread *thread = calloc(1, sizeof(*thread));
	int error = thread ? sticky_worker_open(group, slot, &thread->worker) : -ENOMEM;
	pthread_t id;

	if (!error) {
		thread->slot = slot;
		error = -pthread_create(&id, NULL, run, thread);
		if (error)
			sticky_worker_close(thread->worker);
	}
	if (error) {
		free(thread);
	} else {
		pthread_detach(id);
		started++;
		error = sticky_worker_ready(thread->worker); /* from now on clients arrive */
		thread->leaves = error;
	}
	if (error) {
		fprintf(stderr, "slot %u: %s\n", slot, sticky_strerror(error));
		return error;
	}
	drain(slot);
	threads[slot] = thread;
	return 0;
}

/* As few clients as possible move: those of the slot that comes or goes. */
static void resize(uint32_t slots)
{
	uint32_t before = sticky_group_slots(group);
	int moved = sticky_group_set_slots(group, slots);

	if (moved < 0)
		fprintf(stderr, "%u slots: %s\n", slots, sticky_strerror(moved));
	else if (slots > before)
		replace(before);
	else
		drain(slots); /* the slot's clients belong to the others by now */
}

static void handle(int signal)
{
	uint32_t slot, slots = sticky_group_slots(group);

	if (signal != SIGHUP)
		resize(signal == SIGUSR1 ? slots + 1 : slots - 1);
	else
		for (slot = 0; slot < slots; slot++)
			replace(slot);
}

static int open_group(const char *address, uint32_t slots)
{
	struct sticky_group_options options = {.size = sizeof(options), .slots = slots};
	int error = sticky_group_open(&options, &group);
	uint32_t slot;

	if (!error)
		error = sticky_group_listen(group, address);
	for (slot = 0; slot < slots && error >= 0; slot++)
		error = replace(slot);
	if (error < 0)
		fprintf(stderr, "%s: %s\n", address, sticky_strerror(error));
	return error;
}

int main(int count, char **arguments)
{
	uint32_t slot;
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* before the first thread, which inherits it */
	sem_init(&ended, 0, 0);
	if (count != 3 || open_group(arguments[1], (uint32_t)strtoul(arguments[2], NULL, 10)) < 0)
		return 1;
	printf("ready\n");
	fflush(stdout);
	while (!sigwait(&set, &signal) && signal != SIGTERM)
		handle(signal);
	sticky_group_refuse(group); /* new clients are refused; the queues are still served */
	for (slot = 0; slot < STICKY_SLOTS_LIMIT; slot++)
		drain(slot);
	while (started--)
		sem_wait(&ended);
	sticky_group_close(group);
	return 0;
}
