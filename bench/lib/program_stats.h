/* SPDX-License-Identifier: MIT */
/* Reads the kernel's counts of a BPF program of this process: run time, runs, sizes. */
#ifndef STICKY_BENCH_PROGRAM_STATS_H
#define STICKY_BENCH_PROGRAM_STATS_H

#include <stdint.h>

struct program_stats {
	uint64_t run_time_ns;
	uint64_t run_count;
	uint32_t verified_instructions; /* number that the verifier walked, over all paths */
	uint32_t xlated_bytes;
	uint32_t jited_bytes; /* 0: the JIT is off */
};

/*
 * Turn on the kernel's measurement of BPF programs for as long as the returned descriptor is open.
 * Returns a descriptor, or -errno; -EPERM without CAP_SYS_ADMIN.
 */
int program_stats_enable(void);

/* Read the counts of one program. Returns 0 or -errno. */
int program_stats_read(int program, struct program_stats *ret_stats);

/*
 * Read the sum of the counts of this process's programs of a name, which may be loaded several
 * times. The sizes are those of one of them. libsticky does not give its descriptors out, but they
 * are in our descriptor table. Returns 0, -ENOENT or another -errno.
 */
int program_stats_read_own(const char *name, struct program_stats *ret_stats);

/*
 * Load the cheapest program that can be attached in the place of the library's: it leaves the
 * choice to the kernel. The cost of its runs is that of the measurement. Returns a descriptor or
 * -errno.
 */
int program_load_empty(void);

#endif
