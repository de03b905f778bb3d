/* SPDX-License-Identifier: MIT */
/*
 * fork() and exec(), with nothing inherited but what is named: the child is in a process
 * group of its own, with default signals, stdin /dev/null, and the descriptors 0, 1, 2, from 3
 * on the listening sockets, and behind these those that it keeps for us, and a channel.
 */
#ifndef STICKY_PROCESS_SPAWN_H
#define STICKY_PROCESS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "process/identity.h"

#define SPAWN_SOCKETS_MAX  64
#define SPAWN_KEPT	   2 /* streams */
#define SPAWN_KEPT_MAX	   4 /* and a channel's ends */
#define SPAWN_FIRST_SOCKET 3

struct filter_exec; /* filter_exec.h */

struct spawn_request {
	char *const *argv;
	char *const *envp;
	char *const *files;    /* what to exec: the first that can be; ends with NULL */
	char *listen_pid;      /* in envp: where the child writes its pid, SPAWN_PID_DIGITS */
	const char *directory; /* where it runs, looked up by the child */
	const struct identity *identity;
	const int *sockets;  /* become 3, 4, ...; blocking or not as they are */
	size_t socket_count; /* at most SPAWN_SOCKETS_MAX */
	/*
	 * The reading ends of its output and its error output: while it has them too, it does not
	 * die of EPIPE when we are gone, and a controller that takes over finds them there. Behind
	 * them, where there is a channel, the worker's end of it, and ours, for the same reason.
	 */
	int kept[SPAWN_KEPT_MAX];
	size_t kept_count;
	int output;	  /* becomes 1 */
	int error_output; /* becomes 2 */
	bool has_filter;  /* it binds its address itself: see bind/bind_worker.h */
	/* install it by way of another program, which executes this worker's; NULL: do not */
	const struct filter_exec *filter_exec;
	int filter_channel;   /* where its filter's descriptor goes to */
	int32_t *noted_pid;   /* in shared memory: where the child notes its pid; NULL: nowhere */
	struct rlimit nofile; /* its limit of descriptors */
};

/* The pid's place in "LISTEN_PID=": digits, then NULs. */
#define SPAWN_PID_DIGITS 12

/* What a child could not do, and why: read from the status descriptor. */
enum spawn_stage {
	SPAWN_DESCRIPTORS,
	SPAWN_IDENTITY,
	SPAWN_DIRECTORY,
	SPAWN_FILTER,
	SPAWN_EXEC,
	SPAWN_STAGE_COUNT
};

struct spawn_failure {
	int stage; /* enum spawn_stage */
	int error; /* errno */
};

/* In the child: async-signal-safe calls. */

/* Write why the program can't be run, and exit. */
void spawn_fail(int status, enum spawn_stage stage, int error) __attribute__((noreturn));

/* Execute the first file that is there. Returns the errno of the failure that says most. */
int spawn_exec(char *const *files, char *const *argv, char *const *envp);

/* Write a number that is not negative: at most SPAWN_PID_DIGITS, with the NUL. */
void spawn_write_number(char *to, int number);

/*
 * Start a child.
 *
 * ret_status  a non-blocking descriptor: at its end the program runs; a struct
 *             spawn_failure in it says why it does not. The caller closes it.
 *
 * Only async-signal-safe calls are made in the child, as the parent may have threads.
 * Returns 0 or -errno.
 */
int spawn_start(const struct spawn_request *request, pid_t *ret_pid, int *ret_status);

#endif
