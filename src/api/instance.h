/* SPDX-License-Identifier: MIT */
/* What makes up a running instance: for those who report on it. */
#ifndef STICKY_API_INSTANCE_H
#define STICKY_API_INSTANCE_H

#include <stdint.h>

#include "config/config.h"
#include "handoff/frontend.h"
#include "supervise/worker_backend.h"
#include "sticky.h"
#include "state/state_file.h"
#include "supervise/supervisor.h"

struct instance {
	const struct config *config;
	struct sticky_group *group;
	struct supervisor *supervisor;
	struct worker_backend backend;
	struct journal *journal;
	const struct traffic *traffic;
	struct frontend *front; /* NULL: all connections are steered in the kernel */
	const char *steering;	/* "kernel", "user" */
	char steering_reason[STICKY_EXPLANATION_SIZE];
	uint64_t started_ms; /* by clock_ms() */
	char started_at[32]; /* the same by the calendar: differs from one controller to the next */
};

#endif
