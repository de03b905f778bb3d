/* SPDX-License-Identifier: MIT */
/*
 * The keeper is a small process that outlives its controller. It has a duplicate of the descriptor
 * of each worker's filter. Without a duplicate the kernel would fail every bind() and listen() of
 * the workers (ENOSYS) after the controller's death. With a duplicate that no process reads, they
 * would wait for ever. So the keeper lets the kernel do these calls while there is no controller,
 * and gives the descriptors to the next one.
 */
#ifndef STICKY_BIND_KEEPER_PROCESS_H
#define STICKY_BIND_KEEPER_PROCESS_H

/* The descriptors that the process begins with. */
#define KEEPER_LISTENER 3 /* the socket to which the next controller connects */
#define KEEPER_LEADER	4 /* the channel to the controller that started it */

/*
 * Run until there is no controller, and no process with a filter is left.
 *
 * Returns an exit code.
 */
int keeper_run(void);

#endif
