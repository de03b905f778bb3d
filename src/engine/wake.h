/* SPDX-License-Identifier: MIT */
/*
 * Finds out whether this kernel wakes an acceptor when connections are moved to its socket.
 *
 * When a listening socket is closed, the kernel moves its queue to the slot's present socket. But
 * many kernels do not wake a process that sleeps there in epoll_wait() or accept(). The moved
 * connections then wait until the next connection arrives. The fix is "tcp: call sk_data_ready()
 * after listener migration". On a kernel without it the library wakes the acceptor: see
 * listener_wake().
 */
#ifndef STICKY_ENGINE_WAKE_H
#define STICKY_ENGINE_WAKE_H

#include "engine/engine.h"

/*
 * Try it by moving a connection on a loopback address, with a listener that is removed afterwards.
 *
 * engine  open; its counters change
 *
 * Returns 1 (yes), 0 (no), or -errno if it could not be tried (there is no loopback interface).
 */
int wake_probe(struct engine *engine);

#endif
