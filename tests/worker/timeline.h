/* SPDX-License-Identifier: MIT */
/* What the options ask for, and when: status, accepting, READY=1, an end. */
#ifndef TESTS_WORKER_TIMELINE_H
#define TESTS_WORKER_TIMELINE_H

#include "worker.h"

/* Do or schedule everything, in the order in which a real server does it. */
void timeline_start(struct worker *worker);

#endif
