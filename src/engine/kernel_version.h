/* SPDX-License-Identifier: MIT */
/* What is known of kernels by their version. Pure. */
#ifndef STICKY_ENGINE_KERNEL_VERSION_H
#define STICKY_ENGINE_KERNEL_VERSION_H

#include <stdbool.h>

struct kernel_version {
	int major, minor, patch; /* patch: 0 where there is none */
};

/* Read "5.15.135" and the like, whatever follows. Returns false if it begins in no such way. */
bool kernel_version_parse(const char *text, struct kernel_version *ret_version);

/*
 * Does the kernel free a classic reuseport program only when no CPU runs it any more?
 *
 * Others free the previous program at once when a new one is attached. A CPU that is just running
 * it then executes freed memory, and the machine can crash (CVE-2026-52910; seen on Linux 6.1.170).
 * Linux 7.1 does it right ("bpf: Free reuseport cBPF prog after RCU grace period", 18fc650ccd7f),
 * and so do 7.0.13, 6.18.36, 6.12.94, 6.6.143, 6.1.176, 5.15.210 and 5.10.259.
 *
 * release, version  as uname(2) reports them. Debian names the kernel's own version in `version`.
 *
 * Returns false also where the version is not understood, and for a distributor's kernel whose
 * version does not tell which fixes it has.
 */
bool kernel_frees_programs_safely(const char *release, const char *version);

#endif
