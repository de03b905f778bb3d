/* SPDX-License-Identifier: MIT */
/*
 * The run directory of an instance: <run-dir>/<name>/ with control.sock, notify.sock and pid. A
 * lock on the pid file says whether the instance lives. The number in the file proves nothing, as
 * it may belong to another process by now. Only our uid and root can open the pid file: a process
 * that can read it could also prevent our lock.
 */
#ifndef STICKY_STATE_RUNDIR_H
#define STICKY_STATE_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/error_text.h"

#define RUNDIR_PATH_SIZE 4096

struct rundir {
	char path[RUNDIR_PATH_SIZE]; /* the directory of the instance */
	int lock;		     /* the pid file, locked; -1: not held */
};

/*
 * Write the path of an instance's directory. The directory need not exist.
 *
 * run_dir  value of --run-dir, or NULL for the default: /run/sticky for root; for others
 *          $XDG_RUNTIME_DIR/sticky, /run/user/UID/sticky if it exists, or /tmp/sticky-UID
 *
 * Returns 0 or -ENAMETOOLONG: the paths of its sockets would not fit into a sockaddr_un.
 */
int rundir_locate(const char *run_dir, const char *name, char ret_path[RUNDIR_PATH_SIZE]);

/*
 * Create the directory if it does not exist, lock the name, and write the pid.
 *
 * run_dir, name  as for rundir_locate()
 * ret_pid        on -EEXIST: the pid of the instance that runs
 * ret_error      what failed
 *
 * A directory that others own or can write to is refused: they could answer in the place of this
 * instance.
 *
 * Returns 0, -EEXIST (an instance of this name runs), -EBUSY (another process holds a read lock on
 * the pid file), or another -errno.
 */
int rundir_take(const char *run_dir, const char *name, struct rundir *ret_rundir, pid_t *ret_pid,
		struct error_text *ret_error);

/*
 * Keep the lock over the execve(2) by which a newer version replaces this program. The lock is
 * named in the environment, and rundir_take() of the new program finds it there. If `keeps` is
 * false, this is undone. Returns 0 or -errno.
 */
int rundir_keep_over_exec(const struct rundir *rundir, bool keeps);

/*
 * Returns true if a controller uses an instance's directory. Returns false also if this can't be
 * told.
 *
 * path  as rundir_locate() writes it
 */
bool rundir_is_taken(const char *path);

/* Remove the instance's files and its directory, and unlock the name. */
void rundir_release(struct rundir *rundir);

/* Unlock the name, but leave all files, so that another start can take the instance over. */
void rundir_leave(struct rundir *rundir);

/* Write the path of a file in the directory. Returns 0 or -ENAMETOOLONG. */
int rundir_file(const char *path, const char *file, size_t size, char *ret_path);

#endif
