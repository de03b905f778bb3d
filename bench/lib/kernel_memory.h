/* SPDX-License-Identifier: MIT */
/* The kernel's memory, as the kernel itself tells it. */
#ifndef STICKY_BENCH_KERNEL_MEMORY_H
#define STICKY_BENCH_KERNEL_MEMORY_H

/*
 * Returns the bytes of the BPF maps and programs that this process has descriptors of: the sum of
 * `memlock:` in /proc/self/fdinfo. Each of them must be open once. Returns -errno.
 */
long kernel_memory_bpf(void);

/*
 * Returns the bytes of the kernel's small objects, such as sockets and files: `Slab:` of
 * /proc/meminfo. It is of the whole machine, and a multiple of a page. Returns -errno.
 */
long kernel_memory_slab(void);

#endif
