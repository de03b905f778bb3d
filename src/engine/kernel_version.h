/* SPDX-License-Identifier: MIT */
/* Facts about kernels that follow from their version. Pure. */
#ifndef STICKY_ENGINE_KERNEL_VERSION_H
#define STICKY_ENGINE_KERNEL_VERSION_H

#include <stdbool.h>

struct kernel_version {
	int major, minor, patch; /* patch: 0 if the text has none */
};

/*
 * Read the version at the beginning of a text, such as "5.15.135". Returns false if there is none.
 */
bool kernel_version_parse(const char *text, struct kernel_version *ret_version);

/*
 * Returns true if the kernel frees a classic reuseport program only when no CPU runs it any more.
 *
 * Other kernels free the previous program at once when a new one is attached. A CPU that is just
 * running it then executes freed memory, and the machine can crash (CVE-2026-52910; seen on Linux
 * 6.1.170). Linux 7.1 has the fix ("bpf: Free reuseport cBPF prog after RCU grace period",
 * 18fc650ccd7f), and so have 7.0.13, 6.18.36, 6.12.94, 6.6.143, 6.1.176, 5.15.210 and 5.10.259.
 *
 * release, version  as uname(2) reports them. Debian names the kernel's own version in `version`.
 *
 * Returns false also if the version is not understood, and for a distributor's kernel whose version
 * does not tell which fixes it has.
 */
bool kernel_frees_programs_safely(const char *release, const char *version);

#endif
