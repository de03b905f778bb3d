/* SPDX-License-Identifier: MIT */
/* The parts of a running instance that the API reports about. The controller owns them. */
#ifndef STICKY_API_INSTANCE_H
#define STICKY_API_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/error_text.h"
#include "common/line_ring.h"
#include "common/log_output.h"
#include "config/config.h"
#include "handoff/frontend.h"
#include "state/state_file.h"
#include "sticky.h"
#include "supervise/supervisor.h"
#include "supervise/worker_backend.h"

/*
 * The last attempt to replace the program by another one. An attempt that succeeds ends this
 * program.
 */
struct upgrade_state {
	uint32_t number; /* number of attempts since this program began */
	bool is_running;
	struct error_text error; /* "": the attempt has not failed */
	int exit_code;		 /* of `stickyctl upgrade`, if the attempt has failed */
};

struct reload_times; /* reload_times.h */

struct instance {
	struct config *config; /* replaced in place at a reload */
	struct sticky_group *group;
	struct supervisor *supervisor;
	struct worker_backend backend;
	struct journal *journal;
	struct traffic *traffic;
	struct head_counters *heads;
	struct exit_counters *exits;
	struct line_ring *ring; /* the last lines of the workers */
	struct log_output *log_output;
	struct frontend *frontend; /* NULL: the kernel steers all connections */
	const char *steering;	   /* "kernel", "classic" or "user" */
	char steering_reason[STICKY_EXPLANATION_SIZE];
	/* how to get the BPF program used, if it is not; "": there is nothing to do */
	char steering_remedy[STICKY_EXPLANATION_SIZE];
	struct upgrade_state upgrade;
	struct reload_times *reload_times;
	bool has_admin;			 /* the instance listens at the address of --admin */
	bool stop_announced;		 /* a stop has been asked for, perhaps with --stop-delay */
	uint64_t started_ms;		 /* clock_ms() at the start */
	char started_at[CLOCK_UTC_SIZE]; /* the start in UTC; different for any two controllers */
};

#endif
