/* SPDX-License-Identifier: MIT */
/*
 * The built-in demo server, which `stickyctl start` runs without a COMMAND. Its workers are threads
 * of this process. Each has listening sockets of its own, and uses libsticky's public interface.
 */
#ifndef STICKY_DEMO_DEMO_H
#define STICKY_DEMO_DEMO_H

#include "controller/controller.h"

/* Returns the functions that run the demo's workers. */
const struct thread_host *demo_host(void);

#endif
