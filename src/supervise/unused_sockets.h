/* SPDX-License-Identifier: MIT */
/*
 * Finds workers that were given listening sockets, do not use them, and listen elsewhere instead.
 * Their clients wait in vain, and no restart helps: the command or -l is wrong.
 */
#ifndef STICKY_SUPERVISE_UNUSED_SOCKETS_H
#define STICKY_SUPERVISE_UNUSED_SOCKETS_H

#include <stdbool.h>

#include "policy/hang_cause.h"

struct supervisor;
struct worker;

/*
 * Look at a worker that has not said that it is ready, and note in `listens_on` where it listens if
 * it does not use its sockets. This is reported once for each address, by the event
 * `sockets_not_used`. Workers of Node.js, threads, and workers to which connections are passed are
 * not looked at.
 *
 * Returns true if nothing shows that the worker uses its sockets. A worker that calls poll() on
 * blocking sockets is not seen to use them.
 *
 * Costs a walk over the listening sockets of the network namespace, and over the descriptors of the
 * worker's processes.
 */
bool unused_sockets_look(struct worker *worker);

/*
 * Look at a worker that is hung. Returns HANG_ELSEWHERE or HANG_NOT_BOUND if its sockets are not
 * used, else `cause`, which the state of its process tells.
 */
enum hang_cause unused_sockets_cause(struct worker *worker, enum hang_cause cause);

/* Look again at the workers that did not use their sockets: some may use them by now. */
void unused_sockets_look_again(struct supervisor *supervisor);

#endif
