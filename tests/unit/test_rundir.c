// SPDX-License-Identifier: MIT
/*
 * The run directory: one instance for each name, whatever the files in it contain, and safe from
 * other users.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error_text.h"
#include "state/rundir.h"

static char base[64];
static char instance[96]; /* <base>/web */
static char pid_file[128];
static struct error_text why;

static int make_base(void **state)
{
	(void)state;
	strcpy(base, "/tmp/test_rundir-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(instance, sizeof(instance), "%s/web", base);
	snprintf(pid_file, sizeof(pid_file), "%s/pid", instance);
	return 0;
}

static int remove_one(const char *path, const struct stat *info, int what, struct FTW *where)
{
	(void)info;
	(void)what;
	(void)where;
	return remove(path);
}

static int remove_base(void **state)
{
	(void)state;
	return nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int take(struct rundir *ret_rundir, pid_t *ret_pid)
{
	why.text[0] = '\0';
	*ret_pid = -1;
	return rundir_take(base, "web", ret_rundir, ret_pid, &why);
}

static long read_pid(void)
{
	FILE *file = fopen(pid_file, "r");
	long pid = -1;
	char end = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%ld%c", &pid, &end), 2);
	assert_int_equal(end, '\n');
	assert_int_equal(fgetc(file), EOF);
	fclose(file);
	return pid;
}

static void write_pid(const char *text)
{
	int fd;

	mkdir(instance, 0700);
	fd = open(pid_file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void check_made_and_removed(mode_t mask)
{
	mode_t mode = geteuid() == 0 ? 0755 : 0700;
	char path[RUNDIR_PATH_SIZE];
	struct rundir rundir;
	struct stat info;
	pid_t pid;

	umask(mask);
	assert_int_equal(take(&rundir, &pid), 0);
	umask(022);
	assert_string_equal(rundir.path, instance);
	assert_int_equal(rundir_locate(base, "web", path), 0);
	assert_string_equal(path, instance);
	assert_int_equal(stat(instance, &info), 0);
	assert_int_equal(info.st_mode & 07777, mode);
	assert_int_equal(read_pid(), getpid());
	assert_true(fcntl(rundir.lock, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(stat(pid_file, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);

	rundir_release(&rundir);
	assert_int_equal(rundir.lock, -1);
	assert_int_equal(access(instance, F_OK), -1);
	rundir_release(&rundir);
}

static void it_is_made_and_removed(void **state)
{
	(void)state;
	check_made_and_removed(0);
	check_made_and_removed(077);
	check_made_and_removed(0277);
}

/*
 * Try to take the name in a child. Returns 0 or -errno.
 *
 * owner  the process that the child must find as the owner; 0: any
 */
static int try_in_a_child(pid_t owner)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct rundir rundir = {.lock = -5};
		pid_t pid;
		int result = take(&rundir, &pid);

		if (result == 0)
			rundir_release(&rundir);
		else if (rundir.lock != -5 || (owner && pid != owner))
			_exit(99);
		_exit(-result);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void a_second_one_is_told_who_has_it(void **state)
{
	struct rundir rundir;
	pid_t pid;

	(void)state;
	assert_int_equal(take(&rundir, &pid), 0);
	assert_int_equal(try_in_a_child(getpid()), -EEXIST);
	assert_int_equal(read_pid(), getpid()); /* the child has not changed the file */
	rundir_release(&rundir);
	assert_int_equal(try_in_a_child(0), 0);
	assert_int_equal(take(&rundir, &pid), 0);
	rundir_release(&rundir);
}

static void other_names_are_free(void **state)
{
	struct rundir rundir, other;
	pid_t pid;

	(void)state;
	assert_int_equal(take(&rundir, &pid), 0);
	assert_int_equal(rundir_take(base, "other", &other, &pid, &why), 0);
	rundir_release(&other);
	assert_int_equal(read_pid(), getpid());
	rundir_release(&rundir);
}

/* Start a child that takes the name, and keeps it until it is killed. */
static pid_t start_holder(void)
{
	struct rundir rundir;
	int ready[2];
	pid_t child, pid;
	char byte;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		byte = take(&rundir, &pid) == 0 ? 'y' : 'n';
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	close(ready[0]);
	return child;
}

static void one_that_was_killed_has_left_its_name(void **state)
{
	pid_t holder = start_holder(), pid;
	struct rundir rundir;

	(void)state;
	assert_int_equal(take(&rundir, &pid), -EEXIST);
	assert_int_equal(pid, holder);
	assert_int_equal(read_pid(), holder);
	kill(holder, SIGKILL);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	assert_int_equal(access(pid_file, F_OK), 0);
	assert_int_equal(take(&rundir, &pid), 0);
	assert_int_equal(read_pid(), getpid());
	rundir_release(&rundir);
}

/* A previous version has left a file that every user can read, and a process has a lock on it. */
static void a_lock_of_a_reader_is_no_instance(void **state)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	struct rundir rundir;
	struct stat info;
	pid_t reader, pid;
	int ready[2];
	char byte;

	(void)state;
	write_pid("1\n");
	assert_int_equal(pipe(ready), 0);
	reader = fork();
	if (reader == 0) {
		byte = fcntl(open(pid_file, O_RDONLY), F_SETLK, &lock) ? 'n' : 'y';
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(take(&rundir, &pid), -EBUSY);
	assert_int_equal(pid, reader);
	assert_non_null(strstr(why.text, "no instance"));
	kill(reader, SIGKILL);
	assert_int_equal(waitpid(reader, NULL, 0), reader);
	assert_int_equal(take(&rundir, &pid), 0);
	assert_int_equal(stat(pid_file, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	rundir_release(&rundir);
	close(ready[0]);
	close(ready[1]);
}

/* The number in the file is that of a living process, but the process is not an instance. */
static void a_stale_number_proves_nothing(void **state)
{
	char text[32];
	struct rundir rundir;
	pid_t pid;

	(void)state;
	snprintf(text, sizeof(text), "%d\n", getppid());
	write_pid(text);
	assert_int_equal(take(&rundir, &pid), 0);
	assert_int_equal(read_pid(), getpid());
	rundir_release(&rundir);

	write_pid("4000000000000000000000000000\nand more, longer than what we write\n");
	assert_int_equal(take(&rundir, &pid), 0);
	assert_int_equal(read_pid(), getpid());
	rundir_release(&rundir);
}

static void check_refused(int error, const char *reason)
{
	struct rundir rundir = {.lock = -5};
	pid_t pid;

	assert_int_equal(take(&rundir, &pid), error);
	if (!strstr(why.text, base) || !strstr(why.text, reason))
		fail_msg("not \"%s\": %s", reason, why.text);
	assert_int_equal(rundir.lock, -5);
}

static void directories_that_others_can_write_to_are_refused(void **state)
{
	static const mode_t modes[] = {0777, 0770, 0702};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		char *dirs[] = {base, instance};
		size_t j;

		mkdir(instance, 0700);
		for (j = 0; j < 2; j++) {
			assert_int_equal(chmod(dirs[j], modes[i]), 0);
			check_refused(-EPERM, "written to by others");
			assert_int_equal(access(pid_file, F_OK), -1);
			assert_int_equal(chmod(dirs[j], 0700), 0);
		}
	}
}

static void directories_of_others_are_refused(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	mkdir(instance, 0700);
	assert_int_equal(chown(instance, 65534, (gid_t)-1), 0);
	check_refused(-EPERM, "65534");
	assert_int_equal(chown(instance, 0, (gid_t)-1), 0);
	assert_int_equal(chown(base, 65534, (gid_t)-1), 0);
	check_refused(-EPERM, "65534");
}

static void what_is_no_directory_is_refused(void **state)
{
	int fd;

	(void)state;
	fd = open(instance, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	check_refused(-ENOTDIR, "not a directory");
}

static void a_link_that_leads_nowhere_is_said(void **state)
{
	char nowhere[96];

	(void)state;
	snprintf(nowhere, sizeof(nowhere), "%s/nowhere", base);
	assert_int_equal(symlink(nowhere, instance), 0);
	check_refused(-ENOENT, instance);
}

static void a_link_in_the_place_of_the_pid_file_is_not_followed(void **state)
{
	char victim[96];
	struct stat info;

	(void)state;
	snprintf(victim, sizeof(victim), "%s/victim", base);
	close(open(victim, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(mkdir(instance, 0700), 0);
	assert_int_equal(symlink(victim, pid_file), 0);
	check_refused(-ELOOP, pid_file);
	assert_int_equal(stat(victim, &info), 0);
	assert_int_equal(info.st_size, 0);
}

static void files_of_an_instance_that_was_killed_go_at_release(void **state)
{
	static const char *const files[] = {"control.sock", "notify.sock"};
	char path[128];
	struct rundir rundir;
	pid_t pid;
	size_t i;

	(void)state;
	assert_int_equal(take(&rundir, &pid), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(rundir_file(rundir.path, files[i], sizeof(path), path), 0);
		close(open(path, O_WRONLY | O_CREAT, 0600));
	}
	rundir_release(&rundir);
	assert_int_equal(access(instance, F_OK), -1);
}

/* ---- Lengths ---------------------------------------------------------------------- */

/* Is there room for "/control.sock" behind the path? */
static bool fits_a_socket(const char *path)
{
	return strlen(path) + strlen("/control.sock") < sizeof(((struct sockaddr_un *)0)->sun_path);
}

static void a_path_that_no_socket_could_have_is_refused(void **state)
{
	char path[7000], dir[6000];
	struct rundir rundir;
	size_t length;
	pid_t pid;

	(void)state;
	memset(dir, 'x', sizeof(dir));
	dir[0] = '/';
	for (length = 2; length < 200; length++) {
		int expected;

		dir[length] = '\0';
		snprintf(path, sizeof(path), "%s/web", dir);
		expected = fits_a_socket(path) ? 0 : -ENAMETOOLONG;
		assert_int_equal(rundir_locate(dir, "web", path), expected);
		dir[length] = 'x';
	}
	dir[sizeof(dir) - 1] = '\0';
	assert_int_equal(rundir_locate(dir, "web", path), -ENAMETOOLONG);
	assert_int_equal(rundir_take(dir, "web", &rundir, &pid, &why), -ENAMETOOLONG);
	assert_non_null(strstr(why.text, "--run-dir"));
}

static void a_files_path_is_limited_to_its_room(void **state)
{
	char path[16];

	(void)state;
	assert_int_equal(rundir_file("/run/a", "pid", 11, path), 0);
	assert_string_equal(path, "/run/a/pid");
	assert_int_equal(rundir_file("/run/a", "pid", 10, path), -ENAMETOOLONG);
}

/* A write that stops in the middle sets no errno: an older one must not be taken for its reason. */
static void a_number_that_does_not_fit_is_said(void **state)
{
	struct rlimit all, few;
	struct rundir rundir;
	pid_t pid;
	int result;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
	few = (struct rlimit){.rlim_cur = 1, .rlim_max = all.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
	errno = EXDEV;
	result = rundir_take(base, "web", &rundir, &pid, &why);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	assert_int_equal(result, -EIO);
	assert_non_null(strstr(why.text, strerror(EIO)));
}

#define RUNDIR_TEST(function) cmocka_unit_test_setup_teardown(function, make_base, remove_base)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUNDIR_TEST(it_is_made_and_removed),
		RUNDIR_TEST(a_second_one_is_told_who_has_it),
		RUNDIR_TEST(other_names_are_free),
		RUNDIR_TEST(one_that_was_killed_has_left_its_name),
		RUNDIR_TEST(a_lock_of_a_reader_is_no_instance),
		RUNDIR_TEST(a_stale_number_proves_nothing),
		RUNDIR_TEST(directories_that_others_can_write_to_are_refused),
		RUNDIR_TEST(directories_of_others_are_refused),
		RUNDIR_TEST(what_is_no_directory_is_refused),
		RUNDIR_TEST(a_link_that_leads_nowhere_is_said),
		RUNDIR_TEST(a_link_in_the_place_of_the_pid_file_is_not_followed),
		RUNDIR_TEST(files_of_an_instance_that_was_killed_go_at_release),
		RUNDIR_TEST(a_number_that_does_not_fit_is_said),
		cmocka_unit_test(a_path_that_no_socket_could_have_is_refused),
		cmocka_unit_test(a_files_path_is_limited_to_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
