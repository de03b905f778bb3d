// SPDX-License-Identifier: MIT
/*
 * An HTTP server with one process for each slot, which the parent forks in advance.
 *
 *     server ADDRESS:PORT SLOTS PINS
 *
 * PINS is an empty directory on a BPF file system, such as /sys/fs/bpf/server. SIGHUP replaces the
 * children, one at a time. A child that dies is replaced. SIGUSR2 replaces the parent by the
 * program that is installed now, while the children serve on: export and import. SIGTERM ends the
 * server.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sticky.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 100 /* how long a child that leaves still accepts handshakes that have begun */
#define STATE	 "SERVER_CHILDREN" /* what the next program is told: "SLOT GENERATION PID FD;..." */

struct child {
	pid_t pid;
	uint32_t slot;
	struct sticky_worker *worker;
	struct child *next;
};

static struct sticky_group *group;
static struct child *children; /* those of all slots, and those that serve their last clients */
static struct child *current[STICKY_SLOTS_LIMIT];

/* ---- The child ------------------------------------------------------------------------------ */

static void serve(int listening, uint32_t slot, unsigned long long generation)
{
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC), length;
	char text[4096];

	if (fd < 0)
		return;
	if (recv(fd, text, sizeof(text), 0) > 0) {
		length = snprintf(text, sizeof(text),
				  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
				  "slot=%u gen=%llu\n",
				  slot, generation);
		send(fd, text, (size_t)length, MSG_NOSIGNAL);
	}
	close(fd);
}

static void run_child(int listening, uint32_t slot, unsigned long long generation, int ready)
{
	struct pollfd polled[2] = {{.fd = listening, .events = POLLIN}, {.events = POLLIN}};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	polled[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
	fcntl(listening, F_SETFL, O_NONBLOCK);
	if (write(ready, "", 1) != 1)
		_exit(1);
	close(ready);
	/* After SIGTERM: until nothing has come for GRACE_MS. */
	while (poll(polled, 2, polled[1].fd < 0 ? GRACE_MS : -1) != 0) {
		if (polled[0].revents)
			serve(listening, slot, generation);
		if (polled[1].fd >= 0 && polled[1].revents)
			polled[1].fd = -1;
	}
	_exit(0);
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
	return listening;
}

/* ---- The parent ----------------------------------------------------------------------------- */

static void add_child(struct child *child)
{
	child->next = children;
	children = child;
	current[child->slot] = child;
}

/* Fork a child, and wait until it is ready. Returns 0 or -errno. */
static int fork_child(struct child *child)
{
	unsigned long long generation = sticky_worker_generation(child->worker);
	int ready[2];
	char byte;

	if (pipe(ready))
		return -errno;
	child->pid = fork();
	if (child->pid == 0) {
		close(ready[0]);
		run_child(keep_socket(child), child->slot, generation, ready[1]);
	}
	close(ready[1]);
	if (child->pid < 0 || read(ready[0], &byte, 1) != 1) {
		close(ready[0]);
		return child->pid < 0 ? -EAGAIN : -ECONNABORTED;
	}
	close(ready[0]);
	return sticky_worker_ready(child->worker);
}

static int replace(uint32_t slot)
{
	struct child *child = calloc(1, sizeof(*child)), *previous = current[slot];
	int error = child ? sticky_worker_open(group, slot, &child->worker) : -ENOMEM;

	if (!error) {
		child->slot = slot;
		error = fork_child(child);
	}
	if (error) {
		fprintf(stderr, "slot %u: %s\n", slot, sticky_strerror(error));
		if (child)
			sticky_worker_close(child->worker);
		free(child);
		return error;
	}
	add_child(child);
	if (previous)
		kill(previous->pid, SIGTERM); /* see reap() */
	return 0;
}

/* The sockets of a child that has ended are closed here, too: the kernel then moves their queues.
 */
static void reap(int is_ending)
{
	struct child **link = &children, *child;

	while ((child = *link)) {
		int is_current = current[child->slot] == child;

		if (waitpid(child->pid, NULL, WNOHANG) != child->pid) {
			link = &child->next;
			continue;
		}
		*link = child->next;
		if (is_current)
			current[child->slot] = NULL;
		sticky_worker_close(child->worker);
		if (is_current && !is_ending) {
			replace(child->slot);
			link = &children;
		}
		free(child);
	}
}

/* ---- The next program ------------------------------------------------------------------------ */

/* Execute the program that is installed now. Its sockets are inherited, the maps are pinned. */
static void export_group(char **arguments)
{
	static char state[64 * STICKY_SLOTS_LIMIT];
	size_t length = 0;
	uint32_t slot;

	for (slot = 0; slot < sticky_group_slots(group); slot++)
		if (current[slot])
			length += (size_t)snprintf(
				state + length, sizeof(state) - length, "%u %llu %d %d;", slot,
				(unsigned long long)sticky_worker_generation(current[slot]->worker),
				current[slot]->pid,
				dup(sticky_worker_fd(current[slot]->worker, 0)));
	setenv(STATE, state, 1);
	execvp(arguments[0], arguments);
	fprintf(stderr, "%s: %s\n", arguments[0], strerror(errno));
	exit(1); /* the children serve on, and a server that is started again could import them */
}

static int import_child(uint32_t slot, unsigned long long generation, pid_t pid, int fd)
{
	struct child *child = calloc(1, sizeof(*child));
	int result;

	if (!child)
		return -ENOMEM;
	child->pid = pid;
	child->slot = slot;
	result = sticky_worker_adopt(group, slot, generation, &fd, &child->worker);
	close(fd);
	if (result < 0) {
		free(child);
		return result;
	}
	add_child(child);
	return 0;
}

static int import_group(const struct sticky_group_options *options, const char *pins, char *state)
{
	int error = sticky_group_adopt(options, pins, &group), pid, fd, is_first = 1, used;
	unsigned long long generation;
	uint32_t slot;

	while (!error &&
	       sscanf(state, "%u %llu %d %d;%n", &slot, &generation, &pid, &fd, &used) == 4) {
		if (is_first)
			error = sticky_group_adopt_listener(group, fd);
		is_first = 0;
		if (error >= 0)
			error = import_child(slot, generation, pid, fd);
		state += used;
	}
	return error ? error : sticky_group_finish_adoption(group);
}

static int open_group(char **arguments)
{
	struct sticky_group_options options = {.size = sizeof(options),
					       .slots = (uint32_t)strtoul(arguments[2], NULL, 10)};
	char *state = getenv(STATE);
	uint32_t slot;
	int error;

	if (state)
		return import_group(&options, arguments[3], state);
	error = sticky_group_open(&options, &group);
	if (!error)
		error = sticky_group_pin(group, arguments[3]);
	if (!error)
		error = sticky_group_listen(group, arguments[1]);
	for (slot = 0; slot < options.slots && error >= 0; slot++)
		error = replace(slot);
	return error;
}

/* Returns 0 when the server is to end. */
static int handle(const struct signalfd_siginfo *signal, char **arguments)
{
	uint32_t slot;

	if (signal->ssi_signo == SIGHUP)
		for (slot = 0; slot < sticky_group_slots(group); slot++)
			replace(slot);
	else if (signal->ssi_signo == SIGUSR2)
		export_group(arguments);
	else if (signal->ssi_signo == SIGCHLD)
		reap(0);
	return signal->ssi_signo != SIGTERM;
}

static void end(void)
{
	struct child *child;

	sticky_group_refuse(group); /* new clients are refused; the queues are still served */
	for (child = children; child; child = child->next)
		kill(child->pid, SIGTERM);
	while (children) {
		waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED | WNOWAIT);
		reap(1);
	}
	sticky_group_close(group);
}

int main(int count, char **arguments)
{
	struct signalfd_siginfo signal;
	int signals, error;
	sigset_t set;

	if (count != 4)
		return 2;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	error = open_group(arguments);
	if (error < 0) {
		fprintf(stderr, "%s: %s\n", arguments[1], sticky_strerror(error));
		return 1;
	}
	printf("%s\n", getenv(STATE) ? "taken over" : "ready");
	fflush(stdout);
	reap(0); /* a child may have ended during the import */
	while (read(signals, &signal, sizeof(signal)) == sizeof(signal) &&
	       handle(&signal, arguments))
		;
	end();
	return 0;
}
