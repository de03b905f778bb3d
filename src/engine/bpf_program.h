/* SPDX-License-Identifier: MIT */
/*
 * Loads the BPF program and its maps, pins the maps, and finds pinned ones. No other module uses
 * the skeleton, which bpftool generates from bpf/sticky.bpf.c.
 */
#ifndef STICKY_ENGINE_BPF_PROGRAM_H
#define STICKY_ENGINE_BPF_PROGRAM_H

#include "engine/bpf_access.h"
#include "engine/log.h"

/* The maps of bpf/sticky.bpf.c. */
enum program_map {
	MAP_SETTINGS,
	MAP_TABLE,
	MAP_ENTRIES,
	MAP_LISTENERS,
	MAP_PROXIES,
	MAP_COUNTERS,
	PROGRAM_MAP_COUNT
};

struct loaded_program;

/*
 * Load the program, with new maps or with those that another process pinned.
 *
 * access     raises CAP_BPF during the call
 * log        gets libbpf's messages, and the last lines of the verifier's log if it refuses
 * directory  where maps are pinned; NULL: new maps
 *
 * Returns 0, or
 *   -EPERM       a capability is missing, or a filter refuses bpf(2)
 *   -EOPNOTSUPP  the kernel is too old, or without BPF
 *   -ENOEXEC     the kernel's verifier refuses the program
 *   -ENOENT      nothing is pinned there
 *   -EPROTO      the pinned maps are of another version
 *   -ENOMEM, -EMFILE, -ENFILE
 * refusal.h explains these errors to users. Costs about a millisecond.
 */
int program_load(const struct bpf_access *access, const struct log *log, const char *directory,
		 struct loaded_program **ret_program);

/*
 * Unload the program. The kernel frees maps and program when nothing else uses them. NULL is
 * allowed.
 */
void program_unload(struct loaded_program *program);

/* The descriptors of the program and of its maps. They must not be closed. */
int program_fd(const struct loaded_program *program);
int program_map(const struct loaded_program *program, enum program_map map);

/*
 * Pin all maps in a directory. Returns 0; -EEXIST: there are pins of these names, which stay; or
 * another -errno. No pin has been added then. program_unpin() removes the pins.
 */
int program_pin(const struct loaded_program *program, const struct bpf_access *access,
		const char *directory);
void program_unpin(const char *directory);

#endif
