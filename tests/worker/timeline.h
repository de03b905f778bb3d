/* SPDX-License-Identifier: MIT */
/* Does what the options ask for at the time that they name: status, accepting, READY=1, the end. */
#ifndef TESTS_WORKER_TIMELINE_H
#define TESTS_WORKER_TIMELINE_H

#include "worker.h"

/* Do or schedule everything, in the order of a real server. */
void timeline_start(struct worker *worker);

#endif
