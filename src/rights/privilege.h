/* SPDX-License-Identifier: MIT */
/*
 * Least privilege. Once everything is set up, the controller keeps a few capabilities permitted and
 * none effective. Around a call that needs a capability it makes that capability effective. The uid
 * stays the same: the kernel lets only sockets of one uid join a reuseport group.
 *
 *	previous = privilege_raise(PRIVILEGE_BPF);
 *	error = sticky_group_set_slots(group, slots);
 *	privilege_restore(previous);
 *
 * Such regions can be nested, and can also be used before privilege_shrink(). All functions here
 * change only the calling thread, as the kernel's capabilities belong to threads.
 */
#ifndef STICKY_RIGHTS_PRIVILEGE_H
#define STICKY_RIGHTS_PRIVILEGE_H

/* The capabilities that the controller keeps, one bit each. A set of them is an unsigned int. */
enum privilege {
	PRIVILEGE_NET_BIND_SERVICE = 1 << 0, /* to bind a new worker's sockets to the port */
	PRIVILEGE_SETUID = 1 << 1,	     /* for --user */
	PRIVILEGE_SETGID = 1 << 2,
	PRIVILEGE_KILL = 1 << 3, /* to signal workers of another uid */
	PRIVILEGE_BPF = 1 << 4,	 /* to use BPF maps where the kernel forbids unprivileged BPF */
	PRIVILEGE_DAC_READ_SEARCH = 1 << 5, /* to read /proc/PID/fd of workers of another uid */
	PRIVILEGE_SYS_PTRACE = 1 << 6,	    /* to find such workers' connections; for takeovers */
	PRIVILEGE_NET_ADMIN = 1 << 7,	    /* for --mark and --transparent */
};

/* Those of them that only some options need. */
#define PRIVILEGE_OPTIONAL PRIVILEGE_NET_ADMIN

/*
 * Give up all capabilities except those above, for good, and make none of them effective.
 *
 * options  those of PRIVILEGE_OPTIONAL that are kept, too
 *
 * Returns 0; or -errno, and nothing has been given up.
 */
int privilege_shrink(unsigned int options);

/*
 * Make capabilities effective for the next calls. A capability that is not permitted is left out:
 * the call that needs it then fails, and reports what is missing.
 *
 * Returns the set that was effective before, for privilege_restore().
 */
unsigned int privilege_raise(unsigned int set);

/*
 * End a region: exactly the previous set becomes effective again. If the kernel refuses, the
 * process would keep privileges that it does not need: it logs the error and exits. Its workers go
 * on, as after any death of the controller.
 */
void privilege_restore(unsigned int previous);

/*
 * Returns the ambient capabilities of this thread (capabilities(7)): each program that it runs gets
 * them. A service manager gives them to a service that does not run as root. privilege_shrink()
 * clears them, so call this function before it.
 */
unsigned int privilege_ambient(void);

/*
 * Make these capabilities ambient, so that the next program that this thread runs gets them. A
 * capability that is not permitted is left out. An error is logged.
 */
void privilege_pass_on(unsigned int ambient);

/*
 * Undo privilege_pass_on(): programs that this thread runs from now on do not get the capabilities.
 * If the kernel refuses, the process logs the error and exits, as its workers would get them.
 */
void privilege_end_passing_on(unsigned int ambient);

/*
 * Give up all capabilities for good, in a thread that reads what clients send. If the kernel
 * refuses, the process logs the error and exits.
 */
void privilege_drop(void);

#endif
