// SPDX-License-Identifier: MIT
/*
 * All descriptors from a number on are closed, or get FD_CLOEXEC: with close_range(2), or without
 * it if the kernel or a container's filter does not allow it. Each case is a process of its own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/descriptor_range.h"

#define FIRST 20
#define LAST  600 /* more descriptors than one read of a directory returns */

/* the value for a call that no filter refuses */
#define KNOWN 0

/* Let a system call with this number fail with this errno from now on. */
static int refuse(int number, int error)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(steps) / sizeof(steps[0]), .filter = steps};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int fill(void)
{
	int null = open("/dev/null", O_RDONLY), fd;

	for (fd = FIRST - 1; fd <= LAST; fd++)
		if (dup2(null, fd) < 0)
			return -1;
	return 0;
}

/*
 * Check the flags of all descriptors. `wanted` is the result of fcntl(F_GETFD) for those in the
 * range.
 */
static int check(int wanted)
{
	int fd;

	if (fcntl(FIRST - 1, F_GETFD) != 0)
		return __LINE__ % 200;
	for (fd = FIRST; fd <= LAST; fd++)
		if (fcntl(fd, F_GETFD) != wanted)
			return __LINE__ % 200;
	return 0;
}

struct scene {
	int error;	/* the errno of close_range(2), or KNOWN */
	int open_error; /* the errno of openat(2), by which no directory can be read, or KNOWN */
};

static int run_scene(const struct scene *scene)
{
	struct rlimit limit = {LAST + 1, LAST + 1};

	if (setrlimit(RLIMIT_NOFILE, &limit) || fill())
		return __LINE__ % 200;
	if (scene->error != KNOWN && refuse(SYS_close_range, scene->error))
		return __LINE__ % 200;
	if (scene->open_error != KNOWN && refuse(SYS_openat, scene->open_error))
		return __LINE__ % 200;
	if (descriptors_set_cloexec_from(FIRST) || check(FD_CLOEXEC))
		return __LINE__ % 200;
	if (descriptors_close_from(FIRST) || check(-1))
		return __LINE__ % 200;
	return 0;
}

static void run(struct scene scene)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		_exit(run_scene(&scene));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0); /* other than 0: from the line that failed */
}

static void by_the_kernel(void **state)
{
	(void)state;
	run((struct scene){KNOWN, KNOWN});
}

static void a_kernel_before_5_9(void **state)
{
	(void)state;
	run((struct scene){ENOSYS, KNOWN});
}

static void a_kernel_before_5_11(void **state)
{
	(void)state;
	run((struct scene){EINVAL, KNOWN});
}

static void a_filter_that_does_not_know_it(void **state)
{
	(void)state;
	run((struct scene){EPERM, KNOWN});
}

static void without_proc(void **state)
{
	(void)state;
	run((struct scene){ENOSYS, ENOENT});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_the_kernel),
		cmocka_unit_test(a_kernel_before_5_9),
		cmocka_unit_test(a_kernel_before_5_11),
		cmocka_unit_test(a_filter_that_does_not_know_it),
		cmocka_unit_test(without_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
