/* SPDX-License-Identifier: MIT */
/* Explains in words why the kernel refused the BPF program, and what to do about it. */
#ifndef STICKY_LIB_REFUSAL_H
#define STICKY_LIB_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

/* The facts about this process and machine that tell one cause from another. */
struct refusal_facts {
	const char *release;	 /* of the kernel, as uname(2) has it */
	bool has_capability;	 /* CAP_BPF or CAP_SYS_ADMIN is effective or permitted */
	bool in_user_namespace;	 /* not in the initial one, whose capabilities are needed */
	bool has_seccomp_filter; /* that of a container, for example */
	bool is_locked_down;	 /* lockdown(7) at level "confidentiality" */
};

/* Is this kernel older than Linux 5.14, the first one with migration? Pure. */
bool refusal_is_kernel_too_old(const char *release);

/*
 * Classify an error of the loading: -EPERM (not permitted), -EOPNOTSUPP (the kernel lacks what is
 * needed), -ENOEXEC (the verifier refuses the program), or the error itself. Pure.
 *
 * error           what libbpf returned
 * verifier_spoke  the verifier wrote a log, and has thus seen the program: EACCES, EPERM or EINVAL
 *                 are its verdict, and not a missing privilege
 */
int refusal_classify(int error, bool verifier_spoke);

/*
 * The cause in a sentence, a newline, and what to do. Pure.
 *
 * error  -EPERM, -EOPNOTSUPP, -ENOEXEC or another -errno
 */
void refusal_explain(int error, const struct refusal_facts *facts, size_t size, char *ret_text);

#endif
