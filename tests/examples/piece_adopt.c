// SPDX-License-Identifier: MIT
/*
 * The order of calls of an import. A process opens a group, pins its maps in the given directory,
 * has a worker ready, and is killed. This one imports them, and gets a client.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sticky.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint32_t slot = 0;

static void check(int result)
{
	if (result >= 0)
		return;
	fprintf(stderr, "%s\n", sticky_strerror(result));
	exit(1);
}

/* The previous process: tells the number of its descriptor, and the worker's generation. */
static void export(const char *directory, int pipe)
{
	struct sticky_group_options options = {.size = sizeof(options), .slots = 1};
	struct sticky_worker *worker;
	struct sticky_group *group;
	uint64_t told[2];

	check(sticky_group_open(&options, &group));
	check(sticky_group_pin(group, directory));
	check(sticky_group_listen(group, "127.0.0.1:8080"));
	check(sticky_worker_open(group, slot, &worker));
	check(sticky_worker_ready(worker));
	told[0] = (uint64_t)sticky_worker_fd(worker, 0);
	told[1] = sticky_worker_generation(worker);
	if (write(pipe, told, sizeof(told)) == sizeof(told))
		for (;;)
			pause();
	exit(1);
}

/* Get the socket of the previous process, which then dies. */
static int import(const char *directory, uint64_t *ret_generation)
{
	uint64_t told[2];
	int ends[2], pidfd, fd;
	pid_t pid;

	check(pipe(ends));
	pid = fork();
	if (pid == 0)
		export(directory, ends[1]);
	close(ends[1]);
	if (read(ends[0], told, sizeof(told)) != sizeof(told))
		exit(1);
	close(ends[0]);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, (int)told[0], 0);
	if (fd < 0)
		perror("pidfd_getfd");
	close(pidfd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	*ret_generation = told[1];
	return fd;
}

int main(int count, char **arguments)
{
	struct sticky_group_options options = {.size = sizeof(options), .slots = 1};
	const char *directory = count > 1 ? arguments[1] : "";
	struct sticky_worker *worker;
	struct sticky_group *group;
	uint64_t generation;
	int fd = import(directory, &generation), fds[1] = {fd};

	CODE;
	printf("imported\n");
	fflush(stdout);
	fd = accept(sticky_worker_fd(worker, 0), NULL, NULL);
	printf("%s\n", fd >= 0 ? "accepted" : "not accepted");
	close(fd);
	close(fds[0]);
	check(sticky_worker_close(worker));
	sticky_group_close(group);
	return 0;
}
