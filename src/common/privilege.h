/* SPDX-License-Identifier: MIT */
/*
 * Least privilege: once everything is set up, the controller keeps a few capabilities permitted and
 * none effective, and raises what a call needs around that call. The uid stays as it is: the kernel
 * lets only one uid join a group of sockets.
 *
 *	previous = privilege_raise(PRIVILEGE_BPF | PRIVILEGE_NET_BIND_SERVICE);
 *	error = sticky_group_set_slots(group, slots);
 *	privilege_restore(previous);
 *
 * Such regions nest, also before privilege_shrink(). All of this is about the calling thread alone,
 * as capabilities are in the kernel.
 */
#ifndef STICKY_COMMON_PRIVILEGE_H
#define STICKY_COMMON_PRIVILEGE_H

/* The capabilities that the controller keeps, one bit each. A set of them is an unsigned int. */
enum privilege {
	PRIVILEGE_NET_BIND_SERVICE = 1 << 0, /* each life of a worker binds its sockets anew */
	PRIVILEGE_SETUID = 1 << 1,	     /* --user */
	PRIVILEGE_SETGID = 1 << 2,
	PRIVILEGE_KILL = 1 << 3, /* workers of another uid */
	PRIVILEGE_BPF = 1 << 4,	 /* access to maps, where an old kernel has unprivileged BPF off */
	PRIVILEGE_DAC_READ_SEARCH = 1 << 5, /* /proc/PID/fd of workers of another uid */
	PRIVILEGE_SYS_PTRACE = 1 << 6,	    /* the connections of such workers; takeovers */
};

/*
 * Give up everything but the capabilities above, for good, and make none of them effective.
 *
 * Returns 0 or -errno; nothing was given up then.
 */
int privilege_shrink(void);

/*
 * Make capabilities effective for the next calls. What is not permitted is left out, and the call
 * that needs it says what it lacks.
 *
 * Returns the set that was effective before, for privilege_restore().
 */
unsigned int privilege_raise(unsigned int set);

/*
 * End a region: exactly the previous set is effective again. If the kernel refuses, the process
 * would go on with privileges that it does not need: it says so in the log and exits. Its workers
 * serve on, as after any death of the controller.
 */
void privilege_restore(unsigned int previous);

/*
 * Give up everything, for good, in a thread that reads what clients send. If the kernel refuses,
 * the process exits as above: this call returns to a thread without privileges alone.
 */
void privilege_drop(void);

#endif
