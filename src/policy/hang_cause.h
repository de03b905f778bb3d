/* SPDX-License-Identifier: MIT */
/*
 * Why a worker accepts nothing, in words. Pure: the caller reads the process's state from procfs.
 */
#ifndef STICKY_POLICY_HANG_CAUSE_H
#define STICKY_POLICY_HANG_CAUSE_H

#include <stdint.h>

enum hang_cause {
	HANG_STOPPED,	    /* by a signal or a debugger */
	HANG_SPINS,	    /* it computes all the time */
	HANG_SLEEPS,	    /* it is in any other state */
	HANG_CLOSED_SOCKET, /* no process has its listening socket open any more */
	HANG_BOUND_SOCKET,  /* its listening socket is bound to another network device */
	HANG_CAUSE_COUNT
};

/*
 * Returns the cause, never HANG_CLOSED_SOCKET or HANG_BOUND_SOCKET.
 *
 * letter   the state of the process, of proc_pid_stat(5)
 * cpu_ms   processor time that it used in the last elapsed_ms
 */
enum hang_cause hang_cause_of(char letter, uint64_t cpu_ms, uint64_t elapsed_ms);

/* Returns what the worker does; the text continues a sentence that begins with "the worker". */
const char *hang_cause_text(enum hang_cause cause);

/* Returns what the user can do about it. */
const char *hang_cause_hint(enum hang_cause cause);

#endif
