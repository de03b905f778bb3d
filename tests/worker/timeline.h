/* SPDX-License-Identifier: MIT */
/* When the worker does what its options ask for: status, accepting, READY=1, its end. */
#ifndef TESTS_WORKER_TIMELINE_H
#define TESTS_WORKER_TIMELINE_H

#include "worker.h"

/* Do or schedule everything, in the order of a real server. */
void timeline_start(struct worker *worker);

#endif
