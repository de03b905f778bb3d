// SPDX-License-Identifier: MIT
/* The group: opening and closing it, and refusing new connections. */
#include "lib/group_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engine/address.h"
#include "engine/kernel_version.h"
#include "lib/sized.h"
#include "engine/wake.h"

/* The last member of the first version of the options. It never changes: see sized.h. */
#define OPTIONS_FIRST SIZED_END(struct sticky_group_options, engine)

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
		options->backlog = GROUP_DEFAULT_BACKLOG;
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

	group_lock(group);
	wakes = group->migration_wakes;
	group_unlock(group);
	return wakes;
}

struct sticky_group *group_new(const struct sticky_group_options *options)
{
	struct sticky_group *group = calloc(1, sizeof(*group));
	uint32_t slot, i;

	if (!group)
		return NULL;
	group->lookup = calloc(1, sizeof(*group->lookup));
	if (!group->lookup || group_lock_init(group)) {
		free(group->lookup);
		free(group);
		return NULL;
	}
	group->log = (struct log){.fn = options->log, .context = options->log_context};
	group->access = (struct bpf_access){.raise = options->raise_bpf,
					    .restore = options->restore_bpf,
					    .context = options->privilege_context};
	group->backlog = options->backlog;
	group->preparation =
		(struct preparation){.fn = options->prepare, .context = options->prepare_context};
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
	lookup_begin(group);
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

const char *sticky_engine_caveat(uint32_t engine)
{
	struct utsname name;

	if (engine != STICKY_ENGINE_CLASSIC || uname(&name) ||
	    kernel_frees_programs_safely(name.release, name.version))
		return NULL;
	return "this kernel has not, or is not known to have, the fix of CVE-2026-52910: it can "
	       "crash when a classic BPF program is replaced (by scale, drain, --when-down=spill "
	       "and stop)";
}

void sticky_group_close(struct sticky_group *group)
{
	uint32_t slot, i;

	if (!group)
		return;
	group_check_close(group);
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
	if (group->adopting || group_is_inherited(group))
		engine_leave_pins(group->engine);
	engine_close(group->engine);
	group_lock_fini(group);
	free(group->lookup);
	free(group);
}

uint32_t sticky_group_abilities(const struct sticky_group *group)
{
	return group->engine->ops->abilities;
}

int sticky_group_refuse(struct sticky_group *group)
{
	uint32_t listener, slot;
	int error = 0;

	if (group_is_inherited(group))
		return -ECHILD;
	group_lock(group);
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
	group_unlock(group);
	return error;
}
