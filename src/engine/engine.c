// SPDX-License-Identifier: MIT
/* The common part of all engines: the table, the settings, and operations that do nothing. */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "bpf/select.h"
#include "engine/table.h"

/*
 * Programs that include sticky.h do not have bpf/abi.h. The limits are therefore defined in both.
 */
_Static_assert(STICKY_BUCKETS == STICKY_BUCKET_COUNT, "bpf/abi.h and sticky.h differ");
_Static_assert(STICKY_SLOTS_MAX == STICKY_SLOTS_LIMIT, "bpf/abi.h and sticky.h differ");
_Static_assert(STICKY_LISTENERS_MAX == STICKY_LISTENERS_LIMIT, "bpf/abi.h and sticky.h differ");
_Static_assert(STICKY_DISPATCHERS_MAX == STICKY_DISPATCHERS_LIMIT, "bpf/abi.h and sticky.h differ");
_Static_assert(STICKY_PROXIES_MAX == STICKY_PROXIES_LIMIT, "bpf/abi.h and sticky.h differ");
_Static_assert(sizeof(((struct sticky_settings *)NULL)->hash_seed) == STICKY_SEED_SIZE,
	       "bpf/abi.h and sticky.h differ");

void engine_close(struct engine *engine)
{
	if (engine)
		engine->ops->close(engine);
}

int engine_pin(struct engine *engine, const char *directory)
{
	return engine->ops->pin ? engine->ops->pin(engine, directory) : -EOPNOTSUPP;
}

void engine_leave_pins(struct engine *engine)
{
	if (engine->ops->leave_pins)
		engine->ops->leave_pins(engine);
}

int engine_adopt_listener(struct engine *engine, int socket)
{
	return engine->ops->adopt_listener ? engine->ops->adopt_listener(engine, socket)
					   : -EOPNOTSUPP;
}

int engine_add_listener(struct engine *engine, int first_socket)
{
	if (engine->listener_count == STICKY_LISTENERS_LIMIT)
		return -E2BIG;
	return engine->ops->add_listener(engine, first_socket);
}

int engine_finish_listener(struct engine *engine, uint32_t listener, const struct listener *address)
{
	return engine->ops->finish_listener
		       ? engine->ops->finish_listener(engine, listener, address)
		       : 0;
}

void engine_remove_last_listener(struct engine *engine)
{
	engine->ops->remove_last_listener(engine);
}

int engine_attach(struct engine *engine, int socket)
{
	return engine->ops->attach ? engine->ops->attach(engine, socket) : 0;
}

int engine_restore(struct engine *engine, uint32_t listener, const struct listener *address)
{
	return engine->ops->restore ? engine->ops->restore(engine, listener, address) : 0;
}

int engine_put(struct engine *engine, uint32_t listener, uint32_t slot, int socket)
{
	return engine->ops->put ? engine->ops->put(engine, listener, slot, socket) : 0;
}

int engine_empty(struct engine *engine, uint32_t listener, uint32_t slot)
{
	return engine->ops->empty ? engine->ops->empty(engine, listener, slot) : 0;
}

int engine_lose(struct engine *engine, uint32_t listener, uint32_t slot)
{
	return engine->ops->lose ? engine->ops->lose(engine, listener, slot) : 0;
}

int engine_commit(struct engine *engine, uint32_t listener)
{
	return engine->ops->commit ? engine->ops->commit(engine, listener) : 0;
}

int engine_cookie(const struct engine *engine, uint32_t listener, uint32_t slot,
		  uint64_t *ret_cookie)
{
	return engine->ops->cookie ? engine->ops->cookie(engine, listener, slot, ret_cookie)
				   : -EOPNOTSUPP;
}

/* ---- Table and settings ----------------------------------------------------------------- */

int engine_begin_table(struct engine *engine)
{
	struct sticky_table *table = table_state_next(&engine->table, engine->settings.slots, NULL);

	if (!table)
		return -ENOMEM;
	table_state_take(&engine->table, table);
	free(table);
	return 0;
}

int engine_set_table(struct engine *engine, uint32_t slots, const bool *is_away)
{
	struct sticky_table *table = table_state_next(&engine->table, slots, is_away);
	uint32_t moved;
	int error = 0;

	if (!table)
		return -ENOMEM;
	moved = table_difference(engine->table.present.slots, table->slots);
	if (engine->ops->install)
		error = engine->ops->install(engine, table, slots, moved);
	if (!error) {
		engine->settings.slots = slots;
		table_state_take(&engine->table, table);
	}
	free(table);
	return error ? error : (int)moved;
}

/* Returns the result of an operation. If it has failed, the settings are again what they were. */
static int keep_or_restore(struct engine *engine, const struct sticky_settings *previous, int error)
{
	if (error)
		engine->settings = *previous;
	return error;
}

/* Write the settings that were changed. */
static int write_settings(struct engine *engine, const struct sticky_settings *previous)
{
	int error = engine->ops->write_settings ? engine->ops->write_settings(engine) : 0;

	return keep_or_restore(engine, previous, error);
}

int engine_set_proxies(struct engine *engine, const struct sticky_prefix *proxies, size_t count,
		       bool may_go_direct)
{
	const struct sticky_settings previous = engine->settings;

	if (!engine->ops->set_proxies)
		return 0;
	engine->settings.proxies_may_go_direct = may_go_direct;
	return keep_or_restore(engine, &previous, engine->ops->set_proxies(engine, proxies, count));
}

int engine_set_dispatchers(struct engine *engine, uint32_t count)
{
	const struct sticky_settings previous = engine->settings;

	engine->settings.dispatchers = count;
	return write_settings(engine, &previous);
}

int engine_set_sample(struct engine *engine, uint32_t one_in)
{
	const struct sticky_settings previous = engine->settings;

	engine->settings.sample_mask = one_in ? one_in - 1 : 0;
	return write_settings(engine, &previous);
}

int engine_count(struct engine *engine, struct sticky_cpu_counters *ret_sum)
{
	if (engine->ops->count)
		return engine->ops->count(engine, ret_sum);
	*ret_sum = (struct sticky_cpu_counters){0};
	return 0;
}

uint32_t engine_slot_of(const struct engine *engine, uint32_t bucket)
{
	return sticky_table_slot(&engine->table.present, bucket);
}

uint32_t engine_count_buckets(const struct engine *engine, uint32_t slot)
{
	return engine->table.buckets[slot];
}

const struct sticky_settings *engine_settings(const struct engine *engine)
{
	return &engine->settings;
}

/* ---- The test connection, and the engine's own sockets ------------------------------------ */

int engine_check_source(struct engine *engine, uint32_t listener, uint32_t number,
			struct sockaddr_storage *source)
{
	return engine->ops->check_source
		       ? engine->ops->check_source(engine, listener, number, source)
		       : 0;
}

int engine_set_check(struct engine *engine, const struct sockaddr *source)
{
	const struct sticky_settings previous = engine->settings;
	int error = engine->ops->set_check ? engine->ops->set_check(engine, source) : 0;

	return keep_or_restore(engine, &previous, error);
}

int engine_judge_check(struct engine *engine, uint32_t listener, bool was_refused)
{
	return engine->ops->judge_check ? engine->ops->judge_check(engine, listener, was_refused)
					: !was_refused;
}

int engine_watch(struct engine *engine, int epoll)
{
	return engine->ops->watch ? engine->ops->watch(engine, epoll) : 0;
}

void engine_run(struct engine *engine)
{
	if (engine->ops->run)
		engine->ops->run(engine);
}
