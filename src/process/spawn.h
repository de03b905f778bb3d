/* SPDX-License-Identifier: MIT */
/*
 * Starts a program by fork() and exec(). The child inherits only the descriptors that are named. It
 * is in a process group of its own, has default signals, and reads /dev/null as stdin. Its
 * descriptors are 0, 1 and 2, then the listening sockets from 3 on, then the descriptors that it
 * keeps for the controller, and a channel.
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
#define SPAWN_KEPT_MAX	   4 /* including the ends of a channel */
#define SPAWN_FIRST_SOCKET 3

struct filter_exec; /* filter_exec.h */

struct spawn_request {
	char *const *argv;
	char *const *envp;
	/* the files to execute: the first that can be executed is used; ends with NULL */
	char *const *files;
	/* place in envp at which the child writes its pid: SPAWN_PID_DIGITS bytes; NULL: none */
	char *listen_pid;
	const char *directory; /* the working directory; the child opens it */
	const struct identity *identity;
	const int *sockets;  /* become 3, 4, ...; blocking or not as they are */
	size_t socket_count; /* at most SPAWN_SOCKETS_MAX */
	/*
	 * The reading ends of its stdout and stderr. As the child also has them, it does not get
	 * EPIPE when the controller has ended, and the next controller can fetch them from the
	 * child. If there is a channel, both its ends follow, for the same reason.
	 */
	int kept[SPAWN_KEPT_MAX];
	size_t kept_count;
	int output;	  /* becomes 1 */
	int error_output; /* becomes 2 */
	bool has_filter;  /* its bind() is answered: see bind/bind_worker.h */
	/* install the filter by way of another program; NULL: the child installs it itself */
	const struct filter_exec *filter_exec;
	int filter_channel;   /* where the filter's descriptor is sent to */
	int cgroup;	      /* cgroup.procs of the cgroup that the child joins; -1: none */
	int32_t *noted_pid;   /* shared memory in which the child writes its pid; NULL: none */
	struct rlimit nofile; /* limit of descriptors for the child */
};

/* The room for the pid in "LISTEN_PID=", in bytes with the NUL. */
#define SPAWN_PID_DIGITS 12

/* The step that failed in a child. It is read from the status descriptor, with the error. */
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

/* The child calls these functions. They make async-signal-safe calls only. */

/* Write why the program can't be run, and exit. */
void spawn_fail(int status, enum spawn_stage stage, int error) __attribute__((noreturn));

/*
 * Try to execute each of the files in turn. Returns an errno, on failure only: that of the last
 * file that exists, else ENOENT.
 */
int spawn_exec(char *const *files, char *const *argv, char *const *envp);

/*
 * Write a non-negative number in decimal. `to` has room for SPAWN_PID_DIGITS bytes, with the NUL.
 */
void spawn_write_number(char *to, int number);

/*
 * Start a child.
 *
 * ret_status  a non-blocking descriptor, which the caller closes. End of file on it: the program
 *             runs. A struct spawn_failure on it: the program does not run, for this reason
 *
 * Only async-signal-safe calls are made in the child, as the parent may have threads. Returns 0 or
 * -errno.
 */
int spawn_start(const struct spawn_request *request, pid_t *ret_pid, int *ret_status);

#endif
