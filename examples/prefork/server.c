// SPDX-License-Identifier: MIT
/*
 * An HTTP server with one process for each slot, which the parent forks in advance.
 *
 *     server ADDRESS:PORT SLOTS PINS
 *
 * PINS is an empty directory on a BPF file system, such as /sys/fs/bpf/server. A child that dies is
 * replaced. Signals to the parent:
 *
 *     SIGHUP   replace the children, one at a time
 *     SIGTTIN  one slot more
 *     SIGTTOU  one slot less
 *     SIGUSR2  replace the parent by the program that is installed now, while the children serve
 * on: export and import SIGTERM  refuse new clients, serve those that are there for up to DRAIN_MS,
 * and end
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sticky.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS    100	 /* how long a child that leaves waits for handshakes that have begun */
#define DRAIN_MS    5000 /* how long it waits for the requests of its clients, at most */
#define RETRY_MS    1000 /* when the parent tries again to start a child that is missing */
#define CLIENTS_MAX 1000 /* open connections of a child; a real server closes idle ones */
#define STATE	    "SERVER_CHILDREN" /* the next program is told: "SLOT GENERATION PID FD;..." */

struct child {
	pid_t pid;
	uint32_t slot;
	unsigned long long generation;
	struct sticky_worker *worker; /* NULL: the previous program's, for its last clients */
	struct child *next;
};

static struct sticky_group *group;
static struct child *children; /* those of all slots, and those that serve their last clients */
static struct child *current[STICKY_SLOTS_LIMIT];

/* ---- The child ------------------------------------------------------------------------------ */

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* A connection has one request, of which this example expects that it comes in one piece. */
static void answer(int fd, const struct child *own)
{
	char text[4096];
	int length;

	if (recv(fd, text, sizeof(text), MSG_DONTWAIT) > 0) {
		length = snprintf(text, sizeof(text),
				  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nslot=%u gen=%llu\n",
				  own->slot, own->generation);
		send(fd, text, (size_t)length, MSG_NOSIGNAL);
	}
	close(fd);
}

/* Until SIGTERM; then until no client of its own is open, and no more have come. */
static void serve(int listening, int signals, const struct child *own)
{
	struct pollfd polled[2 + CLIENTS_MAX] = {{.fd = signals, .events = POLLIN}};
	long long end_ms = 0; /* 0: SIGTERM has not come */
	nfds_t count = 2, i;
	int ready = 1, fd;

	while (!end_ms || (now_ms() < end_ms && (count > 2 || ready))) {
		/* poll() skips -1: there is no room. */
		polled[1].fd = count < 2 + CLIENTS_MAX ? listening : -1;
		polled[1].events = POLLIN;
		ready = poll(polled, count, end_ms ? GRACE_MS : -1);
		for (i = count - 1; i > 1; i--) {
			if (polled[i].revents) {
				answer(polled[i].fd, own);
				polled[i] = polled[--count];
			}
		}
		if (polled[0].revents) {
			polled[0].fd = -1;
			end_ms = now_ms() + DRAIN_MS;
		}
		fd = polled[1].revents ? accept4(listening, NULL, NULL, SOCK_CLOEXEC) : -1;
		if (fd >= 0)
			polled[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
}

/* In a new child: keep one socket, and close the descriptors of the parent's group. */
static int keep_socket(const struct child *own)
{
	int listening = dup(sticky_worker_fd(own->worker, 0));
	struct child *child;

	for (child = children; child; child = child->next)
		sticky_worker_close(child->worker);
	sticky_worker_close(own->worker);
	sticky_group_close(group);
	fcntl(listening, F_SETFL, O_NONBLOCK);
	return listening;
}

static void run_child(const struct child *own, int ready)
{
	int listening = keep_socket(own);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (write(ready, "", 1) != 1)
		_exit(1);
	close(ready);
	serve(listening, signalfd(-1, &set, SFD_CLOEXEC), own);
	_exit(0);
}

/* ---- The parent: children -------------------------------------------------------------------- */

/* Fork a child, and wait until it is ready. Returns 0 or -errno: then there is no child. */
static int fork_child(struct child *child)
{
	int ready[2], error = -EAGAIN;
	char byte;

	if (pipe(ready))
		return -errno;
	child->pid = fork();
	if (child->pid == 0) {
		close(ready[0]);
		run_child(child, ready[1]);
	}
	close(ready[1]);
	if (child->pid > 0)
		error = read(ready[0], &byte, 1) == 1 ? sticky_worker_ready(child->worker)
						      : -ECONNABORTED;
	close(ready[0]);
	if (error && child->pid > 0)
		kill(child->pid, SIGKILL); /* reap() takes its status */
	return error;
}

static void add_child(struct child *child)
{
	child->next = children;
	children = child;
}

/* The slot's child goes on with the clients that it has; the kernel sends it no more. */
static void leave(uint32_t slot)
{
	if (current[slot])
		kill(current[slot]->pid, SIGTERM); /* see reap() */
	current[slot] = NULL;
}

static void replace(uint32_t slot)
{
	struct child *child = calloc(1, sizeof(*child));
	int error = child ? sticky_worker_open(group, slot, &child->worker) : -ENOMEM;

	if (!error) {
		child->slot = slot;
		child->generation = sticky_worker_generation(child->worker);
		error = fork_child(child);
		if (error)
			sticky_worker_close(child->worker);
	}
	if (error) {
		fprintf(stderr, "slot %u: %s\n", slot, sticky_strerror(error));
		free(child);
		return;
	}
	add_child(child);
	leave(slot);
	current[slot] = child;
}

/* Start the children that are missing: at the start, after a death, in a new slot. */
static bool fill(void)
{
	bool is_full = true;
	uint32_t slot;

	for (slot = 0; slot < sticky_group_slots(group); slot++) {
		if (!current[slot])
			replace(slot);
		is_full = is_full && current[slot];
	}
	return is_full;
}

/* As few clients as possible move: those of the slot that comes or goes. */
static void resize(uint32_t slots)
{
	uint32_t before = sticky_group_slots(group);
	int moved = sticky_group_set_slots(group, slots);

	if (moved < 0)
		fprintf(stderr, "%u slots: %s\n", slots, sticky_strerror(moved));
	else if (slots < before)
		leave(slots); /* the slot's clients belong to the others by now */
}

/*
 * A child has ended. Its sockets are closed here, too: the kernel then moves their queues. A child
 * that is in no list was killed by fork_child().
 */
static void remove_child(pid_t pid)
{
	struct child **link = &children, *child;

	while (*link && (*link)->pid != pid)
		link = &(*link)->next;
	child = *link;
	if (!child)
		return;
	*link = child->next;
	if (current[child->slot] == child)
		current[child->slot] = NULL;
	if (child->worker)
		sticky_worker_close(child->worker);
	else
		sticky_slot_wake(group, child->slot);
	free(child);
}

static void reap(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		remove_child(pid);
}

/* ---- The parent: the next program --------------------------------------------------------------
 */

/* Whether the next program inherits the sockets of the children that have a slot. */
static void let_inherit(bool is_inherited)
{
	uint32_t slot;

	for (slot = 0; slot < STICKY_SLOTS_LIMIT; slot++)
		if (current[slot])
			fcntl(sticky_worker_fd(current[slot]->worker, 0), F_SETFD,
			      is_inherited ? 0 : FD_CLOEXEC);
}

/*
 * Execute the program that is installed now. It inherits the children, and the sockets of those
 * that have a slot; the maps are pinned. Returns only if this is not possible.
 */
static void export_group(char **arguments)
{
	char *state = NULL;
	size_t size;
	FILE *file = open_memstream(&state, &size);
	struct child *child;

	for (child = children; file && child; child = child->next)
		fprintf(file, "%u %llu %d %d;", child->slot, child->generation, child->pid,
			current[child->slot] == child ? sticky_worker_fd(child->worker, 0) : -1);
	if (file && fclose(file) == 0 && setenv(STATE, state, 1) == 0) {
		let_inherit(true);
		execvp(arguments[0], arguments);
	}
	fprintf(stderr, "%s: %s\n", arguments[0], strerror(errno));
	let_inherit(false);
	free(state);
}

/* fd: the child's socket; -1: it serves its last clients, and has no slot. */
static int import_child(uint32_t slot, unsigned long long generation, pid_t pid, int fd)
{
	struct child *child = calloc(1, sizeof(*child));
	int result;

	if (!child)
		return -ENOMEM;
	*child = (struct child){.pid = pid, .slot = slot, .generation = generation};
	result = fd < 0 ? sticky_slot_adopt(group, slot, generation)
			: sticky_worker_adopt(group, slot, generation, &fd, &child->worker);
	if (result < 0) {
		free(child);
		return result;
	}
	add_child(child);
	if (fd >= 0) {
		current[slot] = child;
		close(fd);
	}
	return 0;
}

/* A socket of any child: the next program knows the address by it. */
static int find_socket(const char *state)
{
	int fd = -1, used;

	while (fd < 0 && sscanf(state, "%*u %*u %*d %d;%n", &fd, &used) == 1)
		state += used;
	return fd;
}

static int import_group(const struct sticky_group_options *options, const char *pins,
			const char *state)
{
	int error = sticky_group_adopt(options, pins, &group), pid, fd, used;
	unsigned long long generation;
	uint32_t slot;

	if (!error)
		error = sticky_group_adopt_listener(group, find_socket(state));
	while (error >= 0 &&
	       sscanf(state, "%u %llu %d %d;%n", &slot, &generation, &pid, &fd, &used) == 4) {
		error = import_child(slot, generation, pid, fd);
		state += used;
	}
	return error < 0 ? error : sticky_group_finish_adoption(group);
}

/* ---- The parent: its life
 * ------------------------------------------------------------------------ */

static int open_group(char **arguments)
{
	struct sticky_group_options options = {.size = sizeof(options),
					       .slots = (uint32_t)strtoul(arguments[2], NULL, 10)};
	const char *state = getenv(STATE);
	int error;

	if (state)
		return import_group(&options, arguments[3], state);
	error = sticky_group_open(&options, &group);
	if (!error)
		error = sticky_group_pin(group, arguments[3]);
	if (!error)
		error = sticky_group_listen(group, arguments[1]);
	return error;
}

/* Returns false when the server is to end. */
static bool handle(int signal, char **arguments)
{
	uint32_t slot, slots = sticky_group_slots(group);

	if (signal == SIGHUP)
		for (slot = 0; slot < slots; slot++)
			replace(slot);
	else if (signal == SIGTTIN)
		resize(slots + 1);
	else if (signal == SIGTTOU)
		resize(slots - 1);
	else if (signal == SIGUSR2)
		export_group(arguments);
	return signal != SIGTERM;
}

static void end(void)
{
	struct child *child;
	pid_t pid;

	sticky_group_refuse(group); /* new clients are refused; the queues are still served */
	for (child = children; child; child = child->next)
		kill(child->pid, SIGTERM);
	while (children && (pid = waitpid(-1, NULL, 0)) > 0)
		remove_child(pid);
	sticky_group_close(group);
}

int main(int count, char **arguments)
{
	static const int handled[] = {SIGHUP, SIGTTIN, SIGTTOU, SIGUSR2, SIGTERM, SIGCHLD};
	const struct timespec retry = {.tv_sec = RETRY_MS / 1000};
	int error;
	sigset_t set;
	size_t i;

	if (count != 4)
		return 2;
	sigemptyset(&set);
	for (i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		sigaddset(&set, handled[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	error = open_group(arguments);
	if (error < 0) {
		fprintf(stderr, "%s: %s\n", arguments[1], sticky_strerror(error));
		return 1;
	}
	reap(); /* a child may have ended during the import */
	if (!fill() && !getenv(STATE)) {
		end();
		return 1;
	}
	printf("%s\n", getenv(STATE) ? "taken over" : "ready");
	fflush(stdout);
	/* Where no signal comes, it is time to try again. */
	while (handle(sigtimedwait(&set, NULL, &retry), arguments)) {
		reap();
		fill();
	}
	end();
	return 0;
}
