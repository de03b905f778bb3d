// SPDX-License-Identifier: MIT
#include "process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bind/bind_install.h"
#include "common/descriptor_range.h"
#include "process/filter_exec.h"

/* ---- In the child: async-signal-safe calls only --------------------------------- */

void spawn_fail(int status, enum spawn_stage stage, int error)
{
	struct spawn_failure failure = {.stage = stage, .error = error};
	ssize_t written = write(status, &failure, sizeof(failure));

	(void)written;
	_exit(127);
}

/*
 * Reset all signals to SIG_DFL, and unblock them. This uses the system call, as the C library
 * refuses to reset the signals that it uses itself.
 */
static void reset_signals(void)
{
	/* SIG_DFL; larger than the kernel's struct sigaction */
	static const unsigned char defaults[64];
	sigset_t none;
	int number;

	for (number = 1; number < NSIG; number++)
		syscall(SYS_rt_sigaction, number, defaults, NULL, 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Copy a descriptor above the numbers that the worker gets. Returns the copy or -1. */
static int lift(int fd, int above)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, above);
}

/*
 * Put every descriptor at its number, and mark all others close-on-exec, even if the code that
 * opened them did not. All are copied above the target numbers first, as a source may have the
 * target number of another one.
 */
static int place_descriptors(const struct spawn_request *request, int *status, int *filter_channel)
{
	int count = (int)request->socket_count;
	int kept = (int)request->kept_count;
	int above = SPAWN_FIRST_SOCKET + count + kept;
	int sources[SPAWN_FIRST_SOCKET + SPAWN_SOCKETS_MAX + SPAWN_KEPT_MAX];
	int i, lifted = lift(*status, above);

	if (lifted < 0)
		return -1;
	*status = lifted;
	if (request->has_filter)
		*filter_channel = lift(request->filter_channel, above);
	sources[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (sources[0] < 0)
		return -1;
	sources[1] = request->output;
	sources[2] = request->error_output;
	for (i = 0; i < count; i++)
		sources[SPAWN_FIRST_SOCKET + i] = request->sockets[i];
	for (i = 0; i < kept; i++)
		sources[SPAWN_FIRST_SOCKET + count + i] = request->kept[i];
	for (i = 0; i < above; i++) {
		sources[i] = lift(sources[i], above);
		if (sources[i] < 0)
			return -1;
	}
	for (i = 0; i < above; i++)
		if (dup2(sources[i], i) < 0)
			return -1;
	return descriptors_set_cloexec_from(above);
}

void spawn_write_number(char *to, int number)
{
	char digits[SPAWN_PID_DIGITS];
	int count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (count)
		*to++ = digits[--count];
	*to = '\0';
}

int spawn_exec(char *const *files, char *const *argv, char *const *envp)
{
	char *const *file;
	int error = ENOENT;

	for (file = files; *file; file++) {
		execve(*file, argv, envp);
		if (errno != ENOENT && errno != ENOTDIR)
			error = errno;
	}
	return error;
}

/*
 * Install the filter, last of all: from here on bind() waits for the controller. With filter_exec
 * this returns only on failure.
 */
static int install_filter(const struct spawn_request *request, int status, int channel)
{
	int error = 0;

	if (request->filter_exec)
		error = filter_exec_run(request->filter_exec, status, channel);
	else if (request->has_filter)
		error = bind_install(channel);
	errno = -error;
	return error;
}

/*
 * "0" is the process that writes. This is done before the child gives up its user, who may not
 * write there. A child that can't join serves as well where it is. CLONE_INTO_CGROUP would be
 * faster, but seccomp filters of containers and of systemd's RestrictNamespaces= refuse clone3(2).
 */
static void join_cgroup(int procs)
{
	ssize_t written = procs < 0 ? 0 : write(procs, "0", 1);

	(void)written;
}

static void __attribute__((noreturn)) run_child(const struct spawn_request *request, int status)
{
	int filter_channel = -1;

	setpgid(0, 0);
	if (request->noted_pid)
		*(volatile int32_t *)request->noted_pid = getpid();
	join_cgroup(request->cgroup);
	reset_signals();
	if (place_descriptors(request, &status, &filter_channel))
		spawn_fail(status, SPAWN_DESCRIPTORS, errno);
	if (setrlimit(RLIMIT_NOFILE, &request->nofile))
		spawn_fail(status, SPAWN_DESCRIPTORS, errno);
	if (identity_become(request->identity))
		spawn_fail(status, SPAWN_IDENTITY, errno);
	if (chdir(request->directory))
		spawn_fail(status, SPAWN_DIRECTORY, errno);
	if (request->listen_pid)
		spawn_write_number(request->listen_pid, getpid());
	if (install_filter(request, status, filter_channel))
		spawn_fail(status, SPAWN_FILTER, errno);
	spawn_fail(status, SPAWN_EXEC, spawn_exec(request->files, request->argv, request->envp));
}

/* ---- In the parent -------------------------------------------------------------- */

int spawn_start(const struct spawn_request *request, pid_t *ret_pid, int *ret_status)
{
	int status[2];
	sigset_t all, previous;
	pid_t pid;
	int error;

	if (pipe2(status, O_CLOEXEC))
		return -errno;
	/* No handler of the controller may run in the child before the signals are reset. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &previous);
	pid = fork();
	error = errno;
	if (pid == 0)
		run_child(request, status[1]);
	sigprocmask(SIG_SETMASK, &previous, NULL);
	close(status[1]);
	if (pid < 0) {
		close(status[0]);
		return -error;
	}
	/* Both processes do this, as either may be first. */
	setpgid(pid, pid);
	fcntl(status[0], F_SETFL, O_NONBLOCK);
	*ret_pid = pid;
	*ret_status = status[0];
	return 0;
}
