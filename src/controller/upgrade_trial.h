/* SPDX-License-Identifier: MIT */
/*
 * Asks the program that is to replace this one whether it can. The program is run as `stickyctl
 * upgrade-check`, beside this one. It reads the same options and files, and tries the same maps as
 * it will after the upgrade. If it finds a fault, this program goes on.
 */
#ifndef STICKY_CONTROLLER_UPGRADE_TRIAL_H
#define STICKY_CONTROLLER_UPGRADE_TRIAL_H

#include <event2/event.h>

#include "common/error_text.h"
#include "handoff/carried.h"

struct upgrade_trial;

/*
 * The version that `stickyctl upgrade-check VERSION start ...` is given is that of the connections
 * that this program passes on. The last line of its output is the word of the verdict, and its exit
 * code.
 */
#define UPGRADE_VERSION CARRIED_VERSION
#define UPGRADE_VERDICT "upgrade-check"

/*
 * Called once, in the loop. The function may close the trial.
 *
 * exit_code  EXIT_DONE: the program can replace this one; else the exit code of `stickyctl upgrade`
 * why        the reason why it can't, in one line
 */
typedef void upgrade_trial_fn(void *context, int exit_code, const char *why);

/*
 * Begin to ask the program.
 *
 * path       of the program
 * arguments  the words of the command line from "start" on
 * ret_error  why the program can't be run
 *
 * Returns 0 or -errno.
 */
int upgrade_trial_open(struct event_base *base, const char *path, char *const *arguments,
		       upgrade_trial_fn *fn, void *context, struct upgrade_trial **ret_trial,
		       struct error_text *ret_error);

/* End the trial, also before its function has been called. NULL is allowed. */
void upgrade_trial_close(struct upgrade_trial *trial);

#endif
