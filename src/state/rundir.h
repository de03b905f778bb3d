/* SPDX-License-Identifier: MIT */
/*
 * The run directory of an instance: <run-dir>/<name>/ with control.sock, notify.sock
 * and pid. A lock on the pid file says whether the instance lives: a number in a file
 * proves nothing, as it may belong to another process by now. Only our uid and root can open the
 * pid file, as a process that can read it can also keep the lock from us.
 */
#ifndef STICKY_STATE_RUNDIR_H
#define STICKY_STATE_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/error_text.h"

#define RUNDIR_PATH_SIZE 4096

struct rundir {
	char path[RUNDIR_PATH_SIZE]; /* of the instance */
	int lock;		     /* the pid file, locked; -1: not held */
};

/*
 * The directory of an instance, whether it exists or not.
 *
 * run_dir  --run-dir, or NULL: root /run/sticky; else $XDG_RUNTIME_DIR/sticky,
 *          /run/user/UID/sticky where it exists, /tmp/sticky-UID
 *
 * Returns 0 or -ENAMETOOLONG: its sockets' paths would not fit into a sockaddr_un.
 */
int rundir_locate(const char *run_dir, const char *name, char ret_path[RUNDIR_PATH_SIZE]);

/*
 * Create it where need be, take the name, and write the pid.
 *
 * run_dir, name  as for rundir_locate()
 * ret_pid        on -EEXIST the pid of the instance that runs
 * ret_error      what failed
 *
 * A directory that others can write to, or own, is refused: they could answer in our
 * name.
 *
 * Returns 0, -EEXIST (an instance of this name runs), -EBUSY (another process holds a read lock on
 * the pid file), or another -errno.
 */
int rundir_take(const char *run_dir, const char *name, struct rundir *ret_rundir, pid_t *ret_pid,
		struct error_text *ret_error);

/*
 * Before execve(2) of a newer version in our place: the lock goes along, named in the
 * environment; rundir_take() there finds it. Undone by `keeps` false. Returns 0 or -errno.
 */
int rundir_keep_over_exec(const struct rundir *rundir, bool keeps);

/*
 * Does a controller have an instance's directory? Returns false also where this can't be told.
 *
 * path  as of rundir_locate()
 */
bool rundir_is_taken(const char *path);

/* Remove what the instance made there, and free the name. */
void rundir_release(struct rundir *rundir);

/* Free the name, and leave all files as they are: for another try to take over. */
void rundir_leave(struct rundir *rundir);

/* The path of a file in it. Returns 0 or -ENAMETOOLONG. */
int rundir_file(const char *path, const char *file, size_t size, char *ret_path);

#endif
