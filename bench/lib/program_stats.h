/* SPDX-License-Identifier: MIT */
/* What the kernel knows of a BPF program of this process: run time, runs, sizes. */
#ifndef STICKY_BENCH_PROGRAM_STATS_H
#define STICKY_BENCH_PROGRAM_STATS_H

#include <stdint.h>

struct program_stats {
	uint64_t run_time_ns;
	uint64_t run_count;
	uint32_t verified_instructions; /* that the verifier walked, over all paths */
	uint32_t xlated_bytes;
	uint32_t jited_bytes; /* 0: the JIT is off */
};

/*
 * Turn the kernel's measuring of BPF programs on for as long as the descriptor is open.
 * Returns it, or -errno; -EPERM without CAP_SYS_ADMIN.
 */
int program_stats_enable(void);

/* Of one program. Returns 0 or -errno. */
int program_stats_read(int program, struct program_stats *ret_stats);

/*
 * The sum over this process' own programs of a name, which may be loaded several times;
 * the sizes are those of one of them. libsticky does not give its descriptors out, but
 * they are in our table. Returns 0, -ENOENT or -errno.
 */
int program_stats_read_own(const char *name, struct program_stats *ret_stats);

/*
 * Load the cheapest program that can be attached where the library's is: it leaves the
 * choice to the kernel. What its runs cost is the price of measuring.
 * Returns its descriptor or -errno.
 */
int program_load_empty(void);

#endif
