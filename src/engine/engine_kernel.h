/* SPDX-License-Identifier: MIT */
/* The engine of a BPF program: what engine_kernel.c and kernel_listeners.c share. */
#ifndef STICKY_ENGINE_ENGINE_KERNEL_H
#define STICKY_ENGINE_ENGINE_KERNEL_H

#include "engine/bpf_access.h"
#include "engine/bpf_program.h"
#include "engine/engine.h"

#define KERNEL_TABLES 2

struct kernel_engine {
	struct engine engine; /* the first member */
	struct bpf_access access;
	struct loaded_program *program;
	struct sticky_listener_key listeners[STICKY_LISTENERS_LIMIT];
	char *pins; /* the directory of the pins; NULL: not pinned */
	/* the kernel's table was written by another process, and may differ from engine.table */
	bool table_is_unknown;
	int tables[KERNEL_TABLES]; /* the inner maps, one of which is in use; -1: not created */
	uint32_t table_in_use;
	/* the counter STICKY_EXIT_CHECKED, if no test connection has begun since it was read */
	uint64_t checked;
	bool checked_is_known;
};

/* ---- engine_kernel.c ---- */

int kernel_map(const struct kernel_engine *kernel, enum program_map map);

/* Write the settings of the common part into the map. Returns 0 or -errno. */
int kernel_write_settings(struct engine *engine);

/* ---- kernel_listeners.c: the operations that concern one listener ---- */

int kernel_add_listener(struct engine *engine, int first_socket);
void kernel_remove_last_listener(struct engine *engine);
int kernel_adopt_listener(struct engine *engine, int socket);
int kernel_attach(struct engine *engine, int socket);
int kernel_restore(struct engine *engine, uint32_t listener, const struct listener *address);
int kernel_put(struct engine *engine, uint32_t listener, uint32_t slot, int socket);
int kernel_empty(struct engine *engine, uint32_t listener, uint32_t slot);
int kernel_cookie(const struct engine *engine, uint32_t listener, uint32_t slot,
		  uint64_t *ret_cookie);

#endif
