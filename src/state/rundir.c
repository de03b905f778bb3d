// SPDX-License-Identifier: MIT
#include "state/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/error_text.h"
#include "rights/private_dir.h"
#include "common/units.h"

#define PID_FILE_MODE 0600

static const char *const files[] = {"control.sock",
				    "notify.sock",
				    "slots",
				    "slots.new",
				    "stickyctl-stop.js",
				    "stickyctl-preload.js",
				    "stickyctl-keepalive.js" /* of an older version */,
				    "preload.js" /* of an older version */,
				    "bind.sock",
				    "pid"};

int rundir_file(const char *path, const char *file, size_t size, char *ret_path)
{
	int length = snprintf(ret_path, size, "%s/%s", path, file);

	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

/* Find the directory that contains those of all instances. */
static int locate_base(const char *run_dir, char base[RUNDIR_PATH_SIZE])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int length;

	if (run_dir) {
		length = snprintf(base, RUNDIR_PATH_SIZE, "%s", run_dir);
	} else if (geteuid() == 0) {
		length = snprintf(base, RUNDIR_PATH_SIZE, "/run/sticky");
	} else if (runtime && runtime[0] == '/') {
		length = snprintf(base, RUNDIR_PATH_SIZE, "%s/sticky", runtime);
	} else {
		snprintf(base, RUNDIR_PATH_SIZE, "/run/user/%u", geteuid());
		length =
			snprintf(base, RUNDIR_PATH_SIZE,
				 access(base, W_OK) == 0 ? "/run/user/%u/sticky" : "/tmp/sticky-%u",
				 geteuid());
	}
	return length < 0 || length >= RUNDIR_PATH_SIZE ? -ENAMETOOLONG : 0;
}

int rundir_locate(const char *run_dir, const char *name, char ret_path[RUNDIR_PATH_SIZE])
{
	char base[RUNDIR_PATH_SIZE];
	char path[RUNDIR_PATH_SIZE];
	int error = locate_base(run_dir, base);

	if (!error)
		error = rundir_file(base, name, sizeof(path), path);
	if (error)
		return error;
	if (strlen(path) + sizeof("/control.sock") > sizeof(((struct sockaddr_un *)0)->sun_path))
		return -ENAMETOOLONG;
	strcpy(ret_path, path);
	return 0;
}

/*
 * Take the lock on the pid file. It is a POSIX lock: workers don't inherit it over fork(), and
 * F_GETLK tells which process has it.
 */
static int lock_pid_file(int fd, pid_t *ret_pid)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_SETLK, &lock) == 0)
		return 0;
	if (errno != EACCES && errno != EAGAIN)
		return -errno;
	if (fcntl(fd, F_GETLK, &lock))
		return -errno;
	if (lock.l_type == F_UNLCK)
		return -EAGAIN; /* the owner ended in between */
	*ret_pid = lock.l_pid;
	return lock.l_type == F_RDLCK ? -EBUSY : -EEXIST; /* an instance has a write lock */
}

static int write_pid(int fd)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%d\n", getpid());
	ssize_t written;

	if (ftruncate(fd, 0))
		return -errno;
	written = pwrite(fd, text, (size_t)length, 0);
	if (written != length)
		return written < 0 ? -errno : -EIO;
	return 0;
}

/*
 * Returns true if the file that was locked is still the one at that path. Its previous owner may
 * have removed it.
 */
static bool is_current(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

/*
 * The environment variable that contains the descriptor of the lock, if the previous version of
 * this program took it before its execve().
 */
#define LOCK_VARIABLE "STICKY_UPGRADE_LOCK"

int rundir_keep_over_exec(const struct rundir *rundir, bool keeps)
{
	char number[16];

	if (fcntl(rundir->lock, F_SETFD, keeps ? 0 : FD_CLOEXEC))
		return -errno;
	snprintf(number, sizeof(number), "%d", rundir->lock);
	if (!keeps)
		return unsetenv(LOCK_VARIABLE) ? -errno : 0;
	return setenv(LOCK_VARIABLE, number, 1) ? -errno : 0;
}

/*
 * Create the pid file, or open it. No other user may open it: a process that can read the file can
 * also hold a read lock on it, which prevents a write lock. The mode is set in any case, as a
 * previous version may have left the file with another one.
 */
static int create_pid_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, PID_FILE_MODE), error;

	if (fd < 0 || !fchmod(fd, PID_FILE_MODE))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/*
 * Open the pid file, or get it from the program that this one has replaced by execve(). Opening it
 * a second time and closing that descriptor would release the lock: see fcntl_locking(2).
 */
static int open_pid_file(const char *path)
{
	const char *number = getenv(LOCK_VARIABLE);
	uint64_t fd;

	if (number && parse_number(number, 3, INT32_MAX, &fd) == 0 && is_current((int)fd, path)) {
		fcntl((int)fd, F_SETFD, FD_CLOEXEC);
		unsetenv(LOCK_VARIABLE);
		return (int)fd;
	}
	unsetenv(LOCK_VARIABLE);
	return create_pid_file(path);
}

static int take_name(struct rundir *rundir, pid_t *ret_pid)
{
	char path[RUNDIR_PATH_SIZE + 8];
	int error;

	snprintf(path, sizeof(path), "%s/pid", rundir->path);
	rundir->lock = open_pid_file(path);
	if (rundir->lock < 0)
		return -errno;
	error = lock_pid_file(rundir->lock, ret_pid);
	if (!error && !is_current(rundir->lock, path))
		error = -EAGAIN;
	if (!error)
		error = write_pid(rundir->lock);
	if (error) {
		close(rundir->lock);
		rundir->lock = -1;
	}
	return error;
}

int rundir_take(const char *run_dir, const char *name, struct rundir *ret_rundir, pid_t *ret_pid,
		struct error_text *ret_error)
{
	/*
	 * Root's workers, which may run as any user, must reach the notify socket in this
	 * directory.
	 */
	mode_t mode = geteuid() == 0 ? 0755 : 0700;
	struct rundir rundir = {.lock = -1};
	char base[RUNDIR_PATH_SIZE];
	int error, tries = 10;

	error = rundir_locate(run_dir, name, rundir.path);
	if (!error)
		error = locate_base(run_dir, base);
	if (error) {
		error_text_set(ret_error,
			       "the run directory's name is too long for a socket's path: choose a "
			       "shorter --run-dir");
		return error;
	}
	error = directory_make(base, mode, true, ret_error);
	if (error)
		return error;
	/*
	 * The loop tries again, as an instance that was just ending may have removed the directory
	 * after it was made.
	 */
	do {
		error = directory_make(rundir.path, mode, false, ret_error);
		if (error)
			return error;
		error = take_name(&rundir, ret_pid);
	} while ((error == -EAGAIN || error == -ENOENT) && --tries > 0);
	if (error == -EEXIST)
		return error;
	if (error == -EBUSY) {
		error_text_set(ret_error,
			       "process %d, which is no instance, holds a lock on %s/pid: end that "
			       "process",
			       *ret_pid, rundir.path);
		return error;
	}
	if (error) {
		error_text_set(ret_error, "cannot write %s/pid: %s", rundir.path, strerror(-error));
		return error;
	}
	*ret_rundir = rundir;
	return 0;
}

void rundir_leave(struct rundir *rundir)
{
	if (rundir->lock >= 0)
		close(rundir->lock);
	rundir->lock = -1;
}

bool rundir_is_taken(const char *path)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char pid_file[RUNDIR_PATH_SIZE];
	bool is_taken;
	int fd;

	if (rundir_file(path, "pid", sizeof(pid_file), pid_file))
		return false;
	fd = open(pid_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	/* l_pid is not used: it is 0 if the controller is in another PID namespace. */
	is_taken = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
	close(fd);
	return is_taken;
}

void rundir_release(struct rundir *rundir)
{
	char path[RUNDIR_PATH_SIZE + 16];
	size_t i;

	if (rundir->lock < 0)
		return;
	/*
	 * The pid file is removed last. While it exists and is locked, the name belongs to this
	 * instance.
	 */
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", rundir->path, files[i]);
		unlink(path);
	}
	rmdir(rundir->path);
	rundir_leave(rundir);
}
