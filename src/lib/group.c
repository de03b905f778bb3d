// SPDX-License-Identifier: MIT
/* The group: opening and closing it, its listeners, and functions that report about it. */
#include "lib/group_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/address.h"
#include "lib/sized.h"
#include "lib/table.h"
#include "lib/wake.h"

#define DEFAULT_BACKLOG 4096

/* The last member of the first version of each structure. It never changes: see sized.h. */
#define OPTIONS_FIRST  SIZED_END(struct sticky_group_options, engine)
#define WHERE_FIRST    SIZED_END(struct sticky_where, slot)
#define COUNTERS_FIRST SIZED_END(struct sticky_counters, dropped_unreadable)
#define INFO_FIRST     SIZED_END(struct sticky_slot_info, overflows)

const char *sticky_version(void)
{
	return STICKY_VERSION;
}

int group_copy_options(const struct sticky_group_options *options,
		       struct sticky_group_options *ret_options)
{
	return sized_read(options, OPTIONS_FIRST, sizeof(*ret_options), ret_options);
}

static int fill_in_options(struct sticky_group_options *options)
{
	if (!options->backlog)
		options->backlog = DEFAULT_BACKLOG;
	if (!options->v4_prefix)
		options->v4_prefix = 32;
	if (!options->v6_prefix)
		options->v6_prefix = 64;
	if (options->slots < 1 || options->slots > STICKY_SLOTS_LIMIT || options->v4_prefix > 32 ||
	    options->v6_prefix > 128 || options->backlog > INT32_MAX ||
	    options->engine >= STICKY_ENGINE_COUNT || !options->raise_bpf != !options->restore_bpf)
		return -EINVAL;
	return 0;
}

static int make_settings(const struct sticky_group_options *options,
			 struct sticky_settings *ret_settings)
{
	struct sticky_settings settings = {
		.abi_version = STICKY_ABI_VERSION,
		.slots = options->slots,
	};
	uint8_t seed[STICKY_SEED_SIZE];
	uint32_t word;

	if (options->seed)
		memcpy(seed, options->seed, sizeof(seed));
	else if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	for (word = 0; word < 2; word++) {
		memcpy(&settings.hash_seed[word], seed + 4 * word, 4);
		settings.hash_seed[word] = sticky_le32(settings.hash_seed[word]);
	}
	prefix_fill_mask(options->v4_prefix, 1, &settings.v4_mask);
	prefix_fill_mask(options->v6_prefix, 4, settings.v6_mask);
	*ret_settings = settings;
	return 0;
}

/* This is tried with maps of its own. The counters of the group do not change. */
void group_learn_of_wake_ups(struct sticky_group *group)
{
	struct sticky_settings settings = *engine_settings(group->engine);
	struct engine *engine;
	int wakes;

	settings.slots = 1;
	wakes = engine_open_kernel(&settings, &group->access, &group->log, &engine);
	if (!wakes) {
		wakes = wake_probe(engine);
		engine_close(engine);
	}
	if (wakes < 0)
		log_event(&group->log, STICKY_LOG_WARN, "wake_probe_failed", "error=\"%s\"",
			  strerror(-wakes));
	group->migration_wakes = wakes;
}

int sticky_group_wakes(struct sticky_group *group)
{
	int wakes;

	pthread_mutex_lock(&group->lock);
	wakes = group->migration_wakes;
	pthread_mutex_unlock(&group->lock);
	return wakes;
}

struct sticky_group *group_new(const struct sticky_group_options *options)
{
	struct sticky_group *group = calloc(1, sizeof(*group));
	uint32_t slot, i;

	if (!group)
		return NULL;
	pthread_mutex_init(&group->lock, NULL);
	group->log = (struct log){.fn = options->log, .context = options->log_context};
	group->access = (struct bpf_access){.raise = options->raise_bpf,
					    .restore = options->restore_bpf,
					    .context = options->privilege_context};
	group->backlog = options->backlog;
	group->timer_fd = group->poll_fd = -1;
	for (slot = 0; slot < STICKY_SLOTS_LIMIT; slot++)
		socket_set_init(&group->slots[slot].holding);
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		group->reserved[i] = -1;
	return group;
}

static int open_engine(struct sticky_group *group, uint32_t engine,
		       const struct sticky_settings *settings)
{
	if (engine == STICKY_ENGINE_USER)
		return engine_open_user(settings, &group->engine);
	if (engine == STICKY_ENGINE_CLASSIC)
		return engine_open_classic(settings, &group->engine);
	return engine_open_kernel(settings, &group->access, &group->log, &group->engine);
}

int sticky_group_open(const struct sticky_group_options *options, struct sticky_group **ret_group)
{
	struct sticky_group_options opts;
	struct sticky_settings settings;
	struct sticky_group *group;
	int error;

	error = group_copy_options(options, &opts);
	if (!error)
		error = fill_in_options(&opts);
	if (!error)
		error = make_settings(&opts, &settings);
	if (error)
		return error;

	group = group_new(&opts);
	if (!group)
		return -ENOMEM;
	group->slot_count = opts.slots;
	error = open_engine(group, opts.engine, &settings);
	if (error) {
		sticky_group_close(group);
		return error;
	}
	if (engine_can(group->engine, STICKY_CAN_MOVE_QUEUES))
		group_learn_of_wake_ups(group);
	else
		group->migration_wakes = 1; /* no queue moves, and no acceptor needs waking */
	*ret_group = group;
	return 0;
}

int sticky_engine_slots_max(uint32_t engine)
{
	if (engine >= STICKY_ENGINE_COUNT)
		return -EINVAL;
	return engine == STICKY_ENGINE_CLASSIC ? engine_classic_slots_max() : STICKY_SLOTS_LIMIT;
}

void sticky_group_close(struct sticky_group *group)
{
	uint32_t slot, i;

	if (!group)
		return;
	for (slot = 0; slot < STICKY_SLOTS_LIMIT; slot++)
		socket_set_close(&group->slots[slot].holding);
	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		if (group->reserved[i] >= 0)
			close(group->reserved[i]);
	group->refusing = true; /* no queue is moved any more */
	deferred_close_finish(group);
	if (group->timer_fd >= 0)
		close(group->timer_fd);
	if (group->poll_fd >= 0)
		close(group->poll_fd);
	if (group->adopting)
		engine_leave_pins(group->engine);
	engine_close(group->engine);
	pthread_mutex_destroy(&group->lock);
	free(group);
}

/* The set that a new socket of a slot belongs to. */
static struct socket_set *slot_own_set(struct sticky_group *group, uint32_t slot)
{
	return group_shares_sockets(group) ? &group->slots[slot].holding
					   : slot_present_set(&group->slots[slot]);
}

/*
 * Open the socket of slot 0 for a new listener. The program is attached to it, and the sockets that
 * follow inherit the program.
 */
static int open_first(struct sticky_group *group, struct listener *listener, uint32_t index)
{
	int fd = listener_bind_first(listener), attached, error;

	if (fd < 0)
		return fd;
	slot_own_set(group, 0)->fd[index] = fd;
	attached = engine_add_listener(group->engine, fd);
	if (attached < 0)
		return attached;
	error = listener_listen(listener, fd);
	if (!error)
		error = engine_put(group->engine, index, 0, fd);
	if (error)
		engine_remove_last_listener(group->engine);
	return error;
}

static int open_rest(struct sticky_group *group, const struct listener *listener, uint32_t index)
{
	uint32_t slot;
	int error = 0;

	for (slot = 1; !error && slot < group->slot_count; slot++) {
		int fd = listener_bind(listener);

		if (fd < 0)
			return fd;
		slot_own_set(group, slot)->fd[index] = fd;
		error = group_listen_on(group, listener, fd);
		if (!error)
			error = engine_put(group->engine, index, slot, fd);
	}
	return error;
}

/* Workers share their slot's socket, or get one if they do not have their slot. */
static int open_for_workers(struct sticky_group *group, const struct listener *listener,
			    uint32_t index)
{
	struct sticky_worker *worker;
	int fd, error;

	for (worker = group->workers; worker; worker = worker->next) {
		if (worker->sockets.fd[index] >= 0)
			continue;
		if (group_shares_sockets(group)) {
			error = socket_set_duplicate_one(&group->slots[worker->slot].holding, index,
							 &worker->sockets);
			if (error)
				return error;
			continue;
		}
		fd = listener_bind(listener);
		if (fd < 0)
			return fd;
		worker->sockets.fd[index] = fd;
		error = group_listen_on(group, listener, fd);
		if (error)
			return error;
	}
	return 0;
}

static void close_socket(struct socket_set *set, uint32_t index)
{
	if (set->fd[index] >= 0)
		close(set->fd[index]);
	set->fd[index] = -1;
}

static void close_listener(struct sticky_group *group, uint32_t index)
{
	struct sticky_worker *worker;
	uint32_t slot;

	for (slot = 0; slot < group->slot_count; slot++)
		close_socket(&group->slots[slot].holding, index);
	for (worker = group->workers; worker; worker = worker->next)
		close_socket(&worker->sockets, index);
}

/*
 * If slots have no sockets, bind the address for the dispatchers, so that no other process gets it.
 */
static int group_reserve(struct sticky_group *group, struct listener *listener, uint32_t index)
{
	int fd = listener_bind_first(listener);

	if (fd < 0)
		return fd;
	group->reserved[index] = fd;
	return 0;
}

static int open_all(struct sticky_group *group, struct listener *listener, uint32_t index)
{
	int error = open_first(group, listener, index);

	if (!error) {
		error = open_rest(group, listener, index);
		if (!error)
			error = open_for_workers(group, listener, index);
		if (!error)
			error = engine_finish_listener(group->engine, index, listener);
		if (error)
			engine_remove_last_listener(group->engine);
	}
	if (error)
		close_listener(group, index);
	return error;
}

static int listen_locked(struct sticky_group *group, struct listener *listener)
{
	uint32_t index = group->address_count;
	bool has_sockets = engine_can(group->engine, STICKY_CAN_GIVE_SOCKETS);
	int error;

	if (group->dispatchers)
		return -EBUSY;
	if (group->refusing)
		return -ESHUTDOWN;
	if (index == STICKY_LISTENERS_LIMIT)
		return -E2BIG;
	error = listener_check_free(listener);
	if (!error)
		error = has_sockets ? open_all(group, listener, index)
				    : group_reserve(group, listener, index);
	if (error)
		return error;
	group->listeners[index] = *listener;
	group->address_count++;
	group->listener_count += has_sockets;
	return (int)index;
}

int sticky_group_listen(struct sticky_group *group, const char *address)
{
	struct listen_spec spec;
	struct listener listener;
	int error;

	error = listen_spec_parse(address, &spec);
	if (!error)
		error = listener_resolve(&spec, (int)group->backlog, &listener);
	if (error)
		return error;
	pthread_mutex_lock(&group->lock);
	error = listen_locked(group, &listener);
	pthread_mutex_unlock(&group->lock);
	return error;
}

int sticky_listen(const char *address, uint32_t backlog)
{
	struct listen_spec spec;
	struct listener listener;
	int fd, error = listen_spec_parse(address, &spec);

	if (!error && backlog > INT32_MAX)
		error = -EINVAL;
	if (!error)
		error = listener_resolve(&spec, backlog ? (int)backlog : DEFAULT_BACKLOG,
					 &listener);
	if (!error)
		error = listener_check_free(&listener);
	if (error)
		return error;
	fd = listener_bind(&listener);
	if (fd < 0)
		return fd;
	error = listener_listen(&listener, fd);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

uint32_t sticky_group_abilities(const struct sticky_group *group)
{
	return group->engine->ops->abilities;
}

uint32_t sticky_group_listener_count(struct sticky_group *group)
{
	uint32_t count;

	pthread_mutex_lock(&group->lock);
	count = group->address_count;
	pthread_mutex_unlock(&group->lock);
	return count;
}

int sticky_group_listener_address(struct sticky_group *group, uint32_t listener, size_t size,
				  char *ret_text)
{
	int error = -EINVAL;

	pthread_mutex_lock(&group->lock);
	if (listener < group->address_count && !listener_is_known(&group->listeners[listener]))
		error = snprintf(ret_text, size, "closed") < (int)size ? 0 : -ENOSPC;
	else if (listener < group->address_count)
		error = address_format((const void *)&group->listeners[listener].address, size,
				       ret_text);
	pthread_mutex_unlock(&group->lock);
	return error;
}

uint32_t sticky_group_slots(struct sticky_group *group)
{
	uint32_t count;

	pthread_mutex_lock(&group->lock);
	count = group->slot_count;
	pthread_mutex_unlock(&group->lock);
	return count;
}

int sticky_group_where(struct sticky_group *group, const struct sockaddr *client,
		       struct sticky_where *ret_where)
{
	bool wants_key = ret_where->size >= SIZED_END(struct sticky_where, key);
	struct sticky_where where = {0};
	struct sticky_settings settings;
	struct sticky_key key;
	int error;

	if (ret_where->size < WHERE_FIRST)
		return -EINVAL;
	pthread_mutex_lock(&group->lock);
	settings = *engine_settings(group->engine);
	error = address_key(&settings, client, &key);
	if (!error) {
		where.bucket = sticky_hash_bucket(sticky_key_hash(&settings, &key));
		where.slot = engine_slot_of(group->engine, where.bucket);
	}
	pthread_mutex_unlock(&group->lock);
	if (!error && wants_key)
		error = key_format(&settings, &key, sizeof(where.key), where.key);
	if (error)
		return error;
	return sized_write(&where, WHERE_FIRST, wants_key ? sizeof(where) : WHERE_FIRST, ret_where);
}

uint32_t sticky_group_seed_id(struct sticky_group *group)
{
	uint32_t id;

	pthread_mutex_lock(&group->lock);
	id = sticky_halfsiphash13(engine_settings(group->engine)->hash_seed, NULL, 0);
	pthread_mutex_unlock(&group->lock);
	return id;
}

static uint64_t sum_steered(const struct sticky_cpu_counters *count)
{
	uint64_t sum = 0;
	uint32_t slot;

	for (slot = 0; slot < STICKY_SLOTS_MAX; slot++)
		sum += count->steered[slot];
	return sum;
}

int sticky_group_counters(struct sticky_group *group, struct sticky_counters *ret_counters)
{
	struct sticky_cpu_counters sum;
	struct sticky_counters counters;
	int error;

	if (ret_counters->size < COUNTERS_FIRST)
		return -EINVAL;
	error = engine_count(group->engine, &sum);
	if (error)
		return error;
	counters = (struct sticky_counters){
		.steered = sum_steered(&sum),
		.migrated = sum.exits[STICKY_EXIT_MIGRATED],
		.empty_slot = sum.exits[STICKY_EXIT_EMPTY_SLOT],
		.dropped_empty = sum.exits[STICKY_EXIT_DROPPED_EMPTY],
		.dropped_no_table = sum.exits[STICKY_EXIT_DROPPED_NO_TABLE],
		.dropped_unreadable = sum.exits[STICKY_EXIT_DROPPED_UNREADABLE],
		.dispatched = sum.exits[STICKY_EXIT_DISPATCHED],
	};
	counters.dropped =
		counters.dropped_empty + counters.dropped_no_table + counters.dropped_unreadable;
	return sized_write(&counters, COUNTERS_FIRST, sizeof(counters), ret_counters);
}

static void fill_slot_info(const struct sticky_group *group, uint32_t index,
			   const struct sticky_cpu_counters *sum, struct sticky_slot_info *ret_info)
{
	const struct slot *slot = &group->slots[index];
	const struct socket_set *present = slot_present(slot);

	*ret_info = (struct sticky_slot_info){
		.generation = slot->generation,
		.holding = !slot->owner,
		.buckets = engine_count_buckets(group->engine, index),
		.queue = socket_set_queue(group, present) + deferred_close_queue(group, index),
		.overflows = slot->overflows + socket_set_overflows(group, present),
		.steered = sum->steered[index],
	};
}

int sticky_group_slot_infos(struct sticky_group *group, uint32_t count,
			    struct sticky_slot_info *ret_infos)
{
	struct sticky_cpu_counters sum;
	size_t size;
	uint32_t slot;
	int error;

	if (count < 1 || ret_infos[0].size < INFO_FIRST)
		return -EINVAL;
	error = engine_count(group->engine, &sum);
	if (error)
		return error;
	size = ret_infos[0].size;
	pthread_mutex_lock(&group->lock);
	if (count > group->slot_count) {
		pthread_mutex_unlock(&group->lock);
		return -EINVAL;
	}
	for (slot = 0; slot < count; slot++) {
		/* The elements of the caller have the size that the caller's header says. */
		char *element = (char *)ret_infos + slot * size;
		struct sticky_slot_info info;

		fill_slot_info(group, slot, &sum, &info);
		memcpy(element, &size, sizeof(size));
		sized_write(&info, INFO_FIRST, sizeof(info), element);
	}
	pthread_mutex_unlock(&group->lock);
	return 0;
}

int sticky_group_refuse(struct sticky_group *group)
{
	uint32_t listener, slot;
	int error = 0;

	pthread_mutex_lock(&group->lock);
	/*
	 * Queues that are about to be moved are moved now, while sockets for them are still in the
	 * maps.
	 */
	deferred_close_flush(group);
	group->refusing = true;
	for (listener = 0; listener < group->listener_count; listener++)
		for (slot = 0; slot < group->slot_count; slot++) {
			int failed = engine_empty(group->engine, listener, slot);

			error = failed ? failed : error;
		}
	for (listener = 0; listener < group->listener_count; listener++) {
		int failed = engine_commit(group->engine, listener);

		error = failed ? failed : error;
	}
	dispatchers_refuse(group);
	pthread_mutex_unlock(&group->lock);
	return error;
}
