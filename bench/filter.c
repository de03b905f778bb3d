// SPDX-License-Identifier: MIT
/*
 * Measures the cost of the filter of a worker that binds itself (src/bind/bind_filter.h): its
 * system calls beside those of a process without it.
 *
 *     filter ROUNDS CALLS
 *
 * In each round a process without the filter and one with it make CALLS calls of each kind. The
 * bind() is of a UDP socket: this program answers it as the controller does, by letting the kernel
 * do it. Prints one JSON object: nanoseconds a call, one value a round.
 *
 * Exit codes: 0 measured; 1 failed; 2 usage; 77 not permitted.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bind/bind_install.h"
#include "bind/bind_notify.h"
#include "lib/arguments.h"
#include "wire/fd_passing.h"

#define ROUNDS_MAX    256
#define CALLS_MAX     10000000
#define FEWER	      1000 /* bind() takes longer, and is called so many times less often */
#define NOT_PERMITTED 77

enum { FAILED = 1, USAGE = 2 };

enum call { GETPPID, READ, BIND, CALL_COUNT };

static const char *const call_names[CALL_COUNT] = {
	[GETPPID] = "getppid", [READ] = "read of 1 byte", [BIND] = "bind of a UDP socket"};

/* The second index of `ns` is 1 with the filter. */
struct round {
	double ns[2][CALL_COUNT];
};

static struct round *rounds; /* shared with the children */

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ---- The child ---------------------------------------------------------------------- */

static void call_getppid(uint32_t calls)
{
	while (calls--)
		syscall(SYS_getppid);
}

static void call_read(uint32_t calls)
{
	int pipe_ends[2];
	char byte = 0;

	if (pipe(pipe_ends))
		_exit(FAILED);
	/* The pipe has no writer, so each read() returns 0. */
	close(pipe_ends[1]);
	while (calls--)
		if (read(pipe_ends[0], &byte, 1))
			_exit(FAILED);
	close(pipe_ends[0]);
}

static void call_bind(uint32_t calls)
{
	const struct sockaddr_in any = {.sin_family = AF_INET};

	for (calls /= FEWER; calls; calls--) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);

		if (fd < 0 || bind(fd, (const void *)&any, sizeof(any)))
			_exit(FAILED);
		close(fd);
	}
}

static void (*const callers[CALL_COUNT])(uint32_t calls) = {
	[GETPPID] = call_getppid, [READ] = call_read, [BIND] = call_bind};

static void measure(uint32_t calls, double *ret_ns)
{
	int call;

	for (call = 0; call < CALL_COUNT; call++) {
		double began = now_ns();

		callers[call](calls);
		ret_ns[call] = (now_ns() - began) / (call == BIND ? calls / FEWER : calls);
	}
}

static void __attribute__((noreturn))
run_child(uint32_t calls, bool filtered, int channel, double *ret_ns)
{
	int error = filtered ? bind_install(channel) : 0;

	close(channel);
	if (error) {
		fprintf(stderr, "filter: %s\n", bind_install_reason(error));
		_exit(NOT_PERMITTED);
	}
	measure(calls, ret_ns);
	_exit(0);
}

/* ---- The parent --------------------------------------------------------------------- */

/* Let the kernel do each bind() of the child, until the child has ended. */
static void serve(int filter)
{
	struct pollfd poller = {.fd = filter, .events = POLLIN};
	struct bind_call call;
	int error = 0;

	while (!error || error == -EAGAIN) {
		poll(&poller, 1, -1);
		error = bind_notify_receive(filter, &call);
		if (!error)
			bind_notify_continue(filter, &call);
	}
}

/* Run a child once. Returns an exit code. */
static int run(uint32_t calls, bool filtered, double *ret_ns)
{
	int ends[2], filter = -1, status;
	char byte;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return FAILED;
	pid = fork();
	if (pid == 0)
		run_child(calls, filtered, ends[1], ret_ns);
	close(ends[1]);
	if (filtered && poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, -1) == 1 &&
	    fd_passing_receive(ends[0], &byte, 1, &filter) == 1 && filter >= 0)
		serve(filter);
	close(ends[0]);
	if (filter >= 0)
		close(filter);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return FAILED;
	return WEXITSTATUS(status);
}

static void print(uint32_t count)
{
	static const char *const names[] = {"without", "with"};
	int call, filtered;
	uint32_t i;

	for (call = 0; call < CALL_COUNT; call++) {
		printf("%s\"%s\":", call ? "," : "{", call_names[call]);
		for (filtered = 0; filtered < 2; filtered++) {
			printf("%s\"%s\":[", filtered ? "," : "{", names[filtered]);
			for (i = 0; i < count; i++)
				printf("%s%.2f", i ? "," : "", rounds[i].ns[filtered][call]);
			printf("]");
		}
		printf("}");
	}
	printf("}\n");
}

int main(int argc, char **argv)
{
	uint32_t count, calls, i;
	int code = 0;

	if (argc != 3) {
		fprintf(stderr, "usage: filter ROUNDS CALLS\n");
		return USAGE;
	}
	count = arguments_number("filter", argv[1], 1, ROUNDS_MAX);
	calls = arguments_number("filter", argv[2], FEWER, CALLS_MAX);
	rounds = mmap(NULL, count * sizeof(*rounds), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (rounds == MAP_FAILED)
		return FAILED;
	/* The two take turns, so that a disturbance of the machine affects both. */
	for (i = 0; i < 2 * count && !code; i++)
		code = run(calls, i % 2, rounds[i / 2].ns[i % 2]);
	if (code)
		return code;
	print(count);
	return 0;
}
