/* SPDX-License-Identifier: MIT */
/* Explains in words why the kernel refused the BPF program, and what to do about it. */
#ifndef STICKY_ENGINE_REFUSAL_H
#define STICKY_ENGINE_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

/* Where the process runs. The way to give it a capability depends on this. */
enum refusal_place {
	PLACE_HOST, /* or in a container of an unknown kind */
	PLACE_DOCKER,
	PLACE_PODMAN,
	PLACE_KUBERNETES,
	PLACE_SYSTEMD, /* a service of systemd */
	PLACE_COUNT
};

/* The facts about this process and machine by which one cause is told from another. */
struct refusal_facts {
	const char *release;	 /* the kernel's release, as uname(2) reports it */
	bool has_capability;	 /* CAP_BPF or CAP_SYS_ADMIN is effective or permitted */
	bool in_user_namespace;	 /* not in the initial one, whose capabilities are needed */
	bool has_seccomp_filter; /* that of a container, for example */
	bool is_locked_down;	 /* lockdown(7) at level "confidentiality" */
	enum refusal_place place;
};

/* Returns true if this kernel is older than Linux 5.14, the first one with migration. Pure. */
bool refusal_is_kernel_too_old(const char *release);

/*
 * Classify an error of loading the program: -EPERM (not permitted), -EOPNOTSUPP (the kernel lacks a
 * feature), -ENOEXEC (the verifier refuses the program), or the error itself. Pure.
 *
 * error           what libbpf returned
 * verifier_spoke  the verifier wrote a log, and has thus seen the program: EACCES, EPERM or EINVAL
 *                 are its verdict, and not a missing privilege
 */
int refusal_classify(int error, bool verifier_spoke);

/*
 * Write a sentence about the cause, a newline, and what the user can do about it. Pure.
 *
 * error  -EPERM, -EOPNOTSUPP, -ENOEXEC or another -errno
 */
void refusal_explain(int error, const struct refusal_facts *facts, size_t size, char *ret_text);

#endif
