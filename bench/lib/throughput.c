// SPDX-License-Identifier: MIT
#include "throughput.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "listening.h"

#define WORKERS_MAX 64

struct server {
	pthread_t thread;
	int fd;
	int stop; /* an eventfd: readable when all servers are to end */
	uint32_t slot;
};

struct figures {
	double per_second;
	double cpu_us;
};

static void accept_pending(const struct server *server, const char *line, size_t length)
{
	for (;;) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return;
		send(fd, line, length, MSG_NOSIGNAL);
		close(fd);
	}
}

/* The whole worker, the same for both sides. */
static void *serve(void *argument)
{
	const struct server *server = argument;
	struct pollfd polled[2] = {{.fd = server->fd, .events = POLLIN},
				   {.fd = server->stop, .events = POLLIN}};
	char line[32];
	int length = snprintf(line, sizeof(line), "slot=%u\n", server->slot);

	while (!polled[1].revents) {
		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			break;
		accept_pending(server, line, (size_t)length);
	}
	return NULL;
}

static void stop_servers(struct server *servers, uint32_t count, int stop)
{
	uint64_t one = 1;

	if (write(stop, &one, sizeof(one)) != sizeof(one))
		abort(); /* an eventfd takes a one: else we would wait for ever */
	while (count)
		pthread_join(servers[--count].thread, NULL);
}

static int start_servers(const struct listening *listening, int stop, struct server *servers)
{
	uint32_t i;

	for (i = 0; i < listening->count; i++) {
		int error;

		servers[i] = (struct server){.fd = listening->fd[i], .stop = stop, .slot = i};
		error = pthread_create(&servers[i].thread, NULL, serve, &servers[i]);
		if (error) {
			stop_servers(servers, i, stop);
			return -error;
		}
	}
	return 0;
}

static double cpu_seconds(int who)
{
	struct rusage usage;

	if (getrusage(who, &usage))
		return 0;
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double own_and_childrens_cpu_seconds(void)
{
	return cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN);
}

static void exec_clients(const struct throughput_options *options, uint16_t port, int out)
{
	char target[32], sources[16], concurrency[16];

	snprintf(target, sizeof(target), "127.0.0.1:%u", port);
	snprintf(sources, sizeof(sources), "%u", options->connections);
	snprintf(concurrency, sizeof(concurrency), "%u", options->concurrency);
	if (dup2(out, STDOUT_FILENO) >= 0)
		execl(options->clients, options->clients, "--banner", "--target", target,
		      "--sources", sources, "--concurrency", concurrency, (char *)NULL);
	fprintf(stderr, "program: %s: %s\n", options->clients, strerror(errno));
	_exit(127);
}

/* What the load generator says: one line of JSON, and by its exit code whether all went well. */
static int read_clients(int in, pid_t child, double *ret_per_second)
{
	char text[4096] = "";
	const char *found;
	size_t length = 0;
	int status;

	while (length < sizeof(text) - 1) {
		ssize_t got = read(in, text + length, sizeof(text) - 1 - length);

		if (got <= 0)
			break;
		length += (size_t)got;
	}
	if (waitpid(child, &status, 0) != child)
		return -errno;
	found = strstr(text, "\"per_second\":");
	if (!WIFEXITED(status) || WEXITSTATUS(status) || !found ||
	    sscanf(found, "\"per_second\":%lf", ret_per_second) != 1) {
		fprintf(stderr, "program: not all connections were answered: %s\n", text);
		return -EIO;
	}
	return 0;
}

static int run_clients(const struct throughput_options *options, uint16_t port,
		       double *ret_per_second)
{
	int ends[2], error;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	child = fork();
	if (!child)
		exec_clients(options, port, ends[1]);
	error = child < 0 ? -errno : 0;
	close(ends[1]);
	if (!error)
		error = read_clients(ends[0], child, ret_per_second);
	close(ends[0]);
	return error;
}

static int measure_listening(const struct throughput_options *options,
			     const struct listening *listening, int stop,
			     struct figures *ret_figures)
{
	struct server servers[WORKERS_MAX];
	double cpu;
	int error = start_servers(listening, stop, servers);

	if (error)
		return error;
	cpu = own_and_childrens_cpu_seconds();
	error = run_clients(options, listening->port, &ret_figures->per_second);
	stop_servers(servers, listening->count, stop);
	cpu = own_and_childrens_cpu_seconds() - cpu;
	ret_figures->cpu_us = cpu * 1e6 / options->connections;
	return error;
}

static int measure(const struct throughput_options *options, enum throughput_side side,
		   struct figures *ret_figures)
{
	struct listening *listening = NULL;
	int stop = eventfd(0, EFD_CLOEXEC), error;

	if (stop < 0)
		return -errno;
	error = side == SIDE_PLAIN
			? listening_open_plain(CLIENT_V4, options->workers, -1, &listening)
			: listening_open_sticky(CLIENT_V4, options->workers, &listening);
	if (!error)
		error = measure_listening(options, listening, stop, ret_figures);
	listening_close(listening);
	close(stop);
	return error;
}

int throughput_pair(const struct throughput_options *options, enum throughput_side first,
		    struct throughput *result)
{
	struct figures figures[SIDE_COUNT];
	int turn, side, error;

	if (options->workers < 1 || options->workers > WORKERS_MAX)
		return -EINVAL;
	for (turn = 0; turn < SIDE_COUNT; turn++) {
		side = (first + turn) % SIDE_COUNT;
		error = measure(options, (enum throughput_side)side, &figures[side]);
		if (error)
			return error;
	}
	for (side = 0; side < SIDE_COUNT; side++) {
		sample_add(&result->per_second[side], figures[side].per_second);
		sample_add(&result->cpu_us[side], figures[side].cpu_us);
	}
	sample_add(&result->ratio,
		   figures[SIDE_STICKY].per_second / figures[SIDE_PLAIN].per_second);
	sample_add(&result->cpu_ratio, figures[SIDE_STICKY].cpu_us / figures[SIDE_PLAIN].cpu_us);
	return 0;
}
