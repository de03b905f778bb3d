// SPDX-License-Identifier: MIT
/* The engine of a BPF program and its maps: the table, the settings, the counters, the pins. */
#include "engine/engine_kernel.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/bpf_proxies.h"

static struct kernel_engine *of(struct engine *engine)
{
	return (struct kernel_engine *)engine;
}

int kernel_map(const struct kernel_engine *kernel, enum program_map map)
{
	return program_map(kernel->program, map);
}

/* ---- Settings and table ------------------------------------------------------------- */

int kernel_write_settings(struct engine *engine)
{
	struct kernel_engine *kernel = of(engine);
	uint32_t zero = 0;

	return bpf_access_update(&kernel->access, kernel_map(kernel, MAP_SETTINGS), &zero,
				 &engine->settings);
}

/*
 * Replace the whole table: the inner map that is not in use is written, and takes the place of the
 * other one. Waits about 8 ms, until no run of the program can read the previous table any more.
 */
static int write_table(struct kernel_engine *kernel, const struct sticky_table *table)
{
	uint32_t zero = 0, spare = !kernel->table_in_use;
	int error = bpf_access_update(&kernel->access, kernel->tables[spare], &zero, table);

	if (!error)
		error = bpf_access_update(&kernel->access, kernel_map(kernel, MAP_TABLE), &zero,
					  &kernel->tables[spare]);
	if (!error)
		kernel->table_in_use = spare;
	return error;
}

static int kernel_install(struct engine *engine, const struct sticky_table *table, uint32_t slots,
			  uint32_t moved)
{
	struct kernel_engine *kernel = of(engine);
	uint32_t previous = engine->settings.slots;
	int error, late;

	/*
	 * The program uses the number of slots for probes only. The number is raised after the
	 * table has grown, and lowered before the table shrinks. A probe thus never chooses a slot
	 * that does not exist.
	 */
	if (slots < previous)
		engine->settings.slots = slots;
	error = kernel_write_settings(engine);
	if (!error && (moved || kernel->table_is_unknown))
		error = write_table(kernel, table);
	if (!error)
		kernel->table_is_unknown = false;
	engine->settings.slots = error ? previous : slots;
	if (error && slots >= previous)
		return error;
	late = kernel_write_settings(engine);
	/* The table was written, but the caller assumes that it was not. */
	kernel->table_is_unknown |= !error && late;
	if (late && !error)
		engine->settings.slots = previous;
	return error ? error : late;
}

static int kernel_set_proxies(struct engine *engine, const struct sticky_prefix *proxies,
			      size_t count)
{
	struct kernel_engine *kernel = of(engine);
	int error = bpf_proxies_replace(&kernel->access, kernel_map(kernel, MAP_PROXIES), proxies,
					count);

	return error ? error : kernel_write_settings(engine);
}

static void add_counters(const struct sticky_cpu_counters *one, struct sticky_cpu_counters *sum)
{
	int i;

	for (i = 0; i < STICKY_EXIT_COUNT; i++)
		sum->exits[i] += one->exits[i];
	for (i = 0; i < STICKY_SLOTS_MAX; i++)
		sum->steered[i] += one->steered[i];
}

static int kernel_count(struct engine *engine, struct sticky_cpu_counters *ret_sum)
{
	struct kernel_engine *kernel = of(engine);
	int cpus = bpf_access_cpus();
	struct sticky_cpu_counters sum = {0};
	struct sticky_cpu_counters *each;
	uint32_t zero = 0;
	int error, cpu;

	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	error = bpf_access_lookup(&kernel->access, kernel_map(kernel, MAP_COUNTERS), &zero, each);
	for (cpu = 0; !error && cpu < cpus; cpu++)
		add_counters(&each[cpu], &sum);
	free(each);
	if (error)
		return error;
	*ret_sum = sum;
	return 0;
}

/* ---- The test connection of check.c --------------------------------------------------- */

/*
 * Write the source of the test connection to the settings. The program may read them at any moment:
 * the address is therefore written before the port.
 */
static int write_check(struct engine *engine, const struct sockaddr *source)
{
	struct sticky_settings *settings = &engine->settings;
	const struct sockaddr_in6 *v6 = (const void *)source;
	const struct sockaddr_in *v4 = (const void *)source;
	int error;

	settings->check_port = 0;
	if (!source)
		return kernel_write_settings(engine);
	memset(settings->check_address, 0, sizeof(settings->check_address));
	if (source->sa_family == AF_INET6) {
		memcpy(settings->check_address, &v6->sin6_addr, sizeof(settings->check_address));
	} else {
		settings->check_address[2] = htonl(0xffff);
		settings->check_address[3] = v4->sin_addr.s_addr;
	}
	error = kernel_write_settings(engine);
	if (error)
		return error;
	settings->check_port = source->sa_family == AF_INET6 ? v6->sin6_port : v4->sin_port;
	return kernel_write_settings(engine);
}

static int read_checked(struct engine *engine, uint64_t *ret_checked)
{
	struct sticky_cpu_counters sum;
	int error = kernel_count(engine, &sum);

	if (!error)
		*ret_checked = sum.exits[STICKY_EXIT_CHECKED];
	return error;
}

static int kernel_set_check(struct engine *engine, const struct sockaddr *source)
{
	struct kernel_engine *kernel = of(engine);
	int error = 0;

	if (source && !kernel->checked_is_known)
		error = read_checked(engine, &kernel->checked);
	if (source)
		kernel->checked_is_known = false;
	return error ? error : write_check(engine, source);
}

/* Returns true if a slot has a socket of the listener. Otherwise nothing listens there. */
static bool is_listening(const struct engine *engine, uint32_t listener)
{
	uint64_t cookie;
	uint32_t slot;

	for (slot = 0; slot < engine->settings.slots; slot++)
		if (!kernel_cookie(engine, listener, slot, &cookie))
			return true;
	return false;
}

/*
 * A refused connection does not show that the program has refused it. A packet filter may do so,
 * and the kernel does so where no socket hears the connection (a listener with a device).
 */
static int kernel_judge_check(struct engine *engine, uint32_t listener, bool was_refused)
{
	struct kernel_engine *kernel = of(engine);
	uint64_t before = kernel->checked;
	int error = read_checked(engine, &kernel->checked);

	if (error)
		return error;
	kernel->checked_is_known = true;
	if (!was_refused)
		return 1;
	return kernel->checked > before || !is_listening(engine, listener) ? 0 : -ECONNREFUSED;
}

/* ---- Pins --------------------------------------------------------------------------- */

static int kernel_pin(struct engine *engine, const char *directory)
{
	struct kernel_engine *kernel = of(engine);
	char *pins;
	int error;

	if (kernel->pins)
		return -EBUSY;
	pins = strdup(directory);
	if (!pins)
		return -ENOMEM;
	error = program_pin(kernel->program, &kernel->access, directory);
	if (error) {
		free(pins);
		return error;
	}
	kernel->pins = pins;
	return 0;
}

static void kernel_leave_pins(struct engine *engine)
{
	struct kernel_engine *kernel = of(engine);

	free(kernel->pins);
	kernel->pins = NULL;
}

/* ---- Opening and closing ------------------------------------------------------------ */

static void kernel_close(struct engine *engine)
{
	struct kernel_engine *kernel = of(engine);
	uint32_t i;

	if (kernel->pins)
		program_unpin(kernel->pins);
	free(kernel->pins);
	for (i = 0; i < KERNEL_TABLES; i++)
		if (kernel->tables[i] >= 0)
			close(kernel->tables[i]);
	program_unload(kernel->program);
	free(kernel);
}

static const struct engine_ops kernel_ops = {
	.abilities = STICKY_CAN_GIVE_SOCKETS | STICKY_CAN_MOVE_QUEUES | STICKY_CAN_COUNT |
		     STICKY_CAN_SURVIVE | STICKY_CAN_DISPATCH,
	.close = kernel_close,
	.install = kernel_install,
	.write_settings = kernel_write_settings,
	.add_listener = kernel_add_listener,
	.remove_last_listener = kernel_remove_last_listener,
	.attach = kernel_attach,
	.restore = kernel_restore,
	.put = kernel_put,
	.empty = kernel_empty,
	.cookie = kernel_cookie,
	.set_proxies = kernel_set_proxies,
	.set_check = kernel_set_check,
	.judge_check = kernel_judge_check,
	.count = kernel_count,
	.pin = kernel_pin,
	.leave_pins = kernel_leave_pins,
	.adopt_listener = kernel_adopt_listener,
};

static struct kernel_engine *new_engine(const struct bpf_access *access)
{
	struct kernel_engine *kernel = calloc(1, sizeof(*kernel));
	uint32_t i;

	if (!kernel)
		return NULL;
	kernel->engine.ops = &kernel_ops;
	kernel->access = *access;
	for (i = 0; i < KERNEL_TABLES; i++)
		kernel->tables[i] = -1;
	return kernel;
}

/*
 * Create both inner maps at the start: creating a map needs CAP_BPF, updating one needs no
 * privilege on newer kernels.
 */
static int make_tables(struct kernel_engine *kernel)
{
	uint32_t i;

	for (i = 0; i < KERNEL_TABLES; i++) {
		int map = bpf_access_create_array(&kernel->access, "sticky_table",
						  sizeof(struct sticky_table));

		if (map < 0)
			return map;
		kernel->tables[i] = map;
	}
	return 0;
}

int engine_open_kernel(const struct sticky_settings *settings, const struct bpf_access *access,
		       const struct log *log, struct engine **ret_engine)
{
	struct kernel_engine *kernel = new_engine(access);
	int error;

	if (!kernel)
		return -ENOMEM;
	kernel->engine.settings = *settings;
	error = program_load(access, log, NULL, &kernel->program);
	if (!error)
		error = make_tables(kernel);
	if (!error)
		error = kernel_write_settings(&kernel->engine);
	if (!error)
		error = engine_begin_table(&kernel->engine);
	if (!error)
		error = write_table(kernel, &kernel->engine.table.present);
	if (error) {
		kernel_close(&kernel->engine);
		return error;
	}
	*ret_engine = &kernel->engine;
	return 0;
}

/*
 * Read the settings from the pinned map. The table is assumed to be that of all slots, none of them
 * away.
 */
static int read_pinned(struct kernel_engine *kernel)
{
	struct sticky_settings *settings = &kernel->engine.settings;
	uint32_t zero = 0;
	int error = bpf_access_lookup(&kernel->access, kernel_map(kernel, MAP_SETTINGS), &zero,
				      settings);

	if (error)
		return error;
	if (settings->abi_version != STICKY_ABI_VERSION)
		return -EPROTO;
	kernel->table_is_unknown = true;
	return engine_begin_table(&kernel->engine);
}

int engine_adopt(const char *directory, const struct bpf_access *access, const struct log *log,
		 struct engine **ret_engine)
{
	struct kernel_engine *kernel = new_engine(access);
	char *pins = strdup(directory);
	int error;

	if (!kernel || !pins) {
		free(kernel);
		free(pins);
		return -ENOMEM;
	}
	error = program_load(access, log, directory, &kernel->program);
	if (!error)
		error = make_tables(kernel);
	if (!error)
		error = read_pinned(kernel);
	if (error) {
		free(pins); /* frees only the name: the pins themselves stay */
		kernel_close(&kernel->engine);
		return error;
	}
	kernel->pins = pins;
	*ret_engine = &kernel->engine;
	return 0;
}
