/* SPDX-License-Identifier: MIT */
/*
 * Least privilege: once it is set up the controller keeps a few capabilities permitted,
 * none effective, and raises one for the call that needs it. The uid stays: the kernel
 * lets only one uid join a group of sockets.
 */
#ifndef STICKY_CONTROLLER_PRIVILEGE_H
#define STICKY_CONTROLLER_PRIVILEGE_H

#include <linux/capability.h>

/* Keep what the controller needs, permitted but not effective. Returns 0 or -EPERM. */
int privilege_shrink(void);

/*
 * Make a capability effective for the next calls of this thread; where it is not permitted
 * nothing happens, and the call says what it lacks.
 */
void privilege_raise(int capability);

/* Nothing is effective any more. */
void privilege_lower(void);

/* Give up everything, for good, in this thread: for threads that serve clients. */
void privilege_drop(void);

#endif
