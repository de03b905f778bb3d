// SPDX-License-Identifier: MIT
#include "steering.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../bpf/select.h"
#include "sticky.skel.h"
#include "mappin.h"
#include "plan.h"
#include "proxymap.h"
#include "table.h"

#ifndef SO_ATTACH_REUSEPORT_EBPF
#define SO_ATTACH_REUSEPORT_EBPF 52
#endif

struct steering {
	struct sticky_settings settings;
	struct log log;
	uint32_t listener_count;
	struct sticky_bpf
		*listeners[STICKY_LISTENERS_LIMIT]; /* a program and an entries map each */
	/*
	 * Loaded first and attached to nothing: its maps `settings`, `table` and `counters`
	 * are those of every listener.
	 */
	struct sticky_bpf *shared;
	char *pins;	       /* the directory; NULL: not pinned */
	struct plan plan;      /* its present table is the kernel's */
	bool table_is_unknown; /* another process wrote the kernel's: ours is a guess */
};

/*
 * libbpf prints to stderr unless it is told otherwise, and its callback has no context:
 * the one that is calling into libbpf in this thread.
 */
static _Thread_local const struct log *current_log;

static int __attribute__((format(printf, 2, 0)))
report_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[512];
	size_t length;

	if (level == LIBBPF_DEBUG || !current_log)
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	length = strlen(line);
	if (length && line[length - 1] == '\n')
		line[length - 1] = '\0';
	log_event(current_log, STICKY_LOG_DEBUG, "libbpf", "%s", line);
	return 0;
}

/* The callback is the process's: threads that open groups at a time take turns. */
static pthread_mutex_t libbpf_turn = PTHREAD_MUTEX_INITIALIZER;

static libbpf_print_fn_t begin_libbpf(const struct log *log)
{
	pthread_mutex_lock(&libbpf_turn);
	current_log = log;
	return libbpf_set_print(report_libbpf);
}

static void end_libbpf(libbpf_print_fn_t former)
{
	libbpf_set_print(former);
	current_log = NULL;
	pthread_mutex_unlock(&libbpf_turn);
}

/* A kernel that does not know the program's type or attach type says EINVAL or worse. */
static int load_error(int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES: /* the verifier's word where a capability is missing for a feature */
		return -EPERM;
	case -EINVAL:
	case -ENOSYS:
	case -ESRCH:
	case -ENOTSUP:
		return -EOPNOTSUPP;
	default:
		return error;
	}
}

static int share_maps(struct sticky_bpf *skeleton, const struct sticky_bpf *shared)
{
	int error;

	error = bpf_map__reuse_fd(skeleton->maps.settings, bpf_map__fd(shared->maps.settings));
	if (!error)
		error = bpf_map__reuse_fd(skeleton->maps.proxies,
					  bpf_map__fd(shared->maps.proxies));
	if (!error)
		error = bpf_map__reuse_fd(skeleton->maps.table, bpf_map__fd(shared->maps.table));
	if (!error)
		error = bpf_map__reuse_fd(skeleton->maps.counters,
					  bpf_map__fd(shared->maps.counters));
	return error;
}

static int reuse_shared_pins(const char *pins, struct sticky_bpf *skeleton)
{
	int error = mappin_reuse(pins, "settings", skeleton->maps.settings);

	if (!error)
		error = mappin_reuse(pins, "table", skeleton->maps.table);
	if (!error)
		error = mappin_reuse(pins, "counters", skeleton->maps.counters);
	if (!error)
		error = mappin_reuse(pins, "proxies", skeleton->maps.proxies);
	return error;
}

static int load(const struct log *log, const struct sticky_bpf *shared, const char *pins,
		const char *entries_pin, struct sticky_bpf **ret_skeleton)
{
	libbpf_print_fn_t former = begin_libbpf(log);
	struct sticky_bpf *skeleton = sticky_bpf__open();
	int error = skeleton ? 0 : -errno;

	if (!error && shared)
		error = share_maps(skeleton, shared);
	if (!error && pins && !shared)
		error = reuse_shared_pins(pins, skeleton);
	if (!error && pins && entries_pin)
		error = mappin_reuse(pins, entries_pin, skeleton->maps.entries);
	if (!error)
		error = sticky_bpf__load(skeleton);
	end_libbpf(former);
	if (error) {
		sticky_bpf__destroy(skeleton);
		return load_error(error);
	}
	*ret_skeleton = skeleton;
	return 0;
}

bool steering_is_kernel(const struct steering *steering)
{
	return steering->shared != NULL;
}

static int write_settings(struct steering *steering)
{
	uint32_t zero = 0;

	if (!steering->shared)
		return 0;

	return bpf_map_update_elem(bpf_map__fd(steering->shared->maps.settings), &zero,
				   &steering->settings, BPF_ANY);
}

/* Replace the table whole. Waits for running programs: about 8 ms. */
static int write_table(struct steering *steering, const struct sticky_table *table)
{
	uint32_t zero = 0;
	int inner, error;

	if (!steering->shared)
		return 0;
	inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sticky_table", sizeof(zero),
			       sizeof(struct sticky_table), 1, NULL);
	if (inner < 0)
		return inner;
	error = bpf_map_update_elem(inner, &zero, table, BPF_ANY);
	if (!error)
		error = bpf_map_update_elem(bpf_map__fd(steering->shared->maps.table), &zero,
					    &inner, BPF_ANY);
	close(inner); /* the outer map holds it */
	return error;
}

static int begin_table(struct steering *steering, bool is_written)
{
	struct sticky_table *table = plan_next(&steering->plan, steering->settings.slots, NULL);
	int error = 0;

	if (!table)
		return -ENOMEM;
	if (!is_written)
		error = write_table(steering, table);
	if (!error)
		plan_take(&steering->plan, table);
	free(table);
	return error;
}

int steering_open_user(const struct sticky_settings *settings, struct steering **ret_steering)
{
	struct steering *steering = calloc(1, sizeof(*steering));
	int error;

	if (!steering)
		return -ENOMEM;
	steering->settings = *settings;
	error = begin_table(steering, false);
	if (error) {
		steering_close(steering);
		return error;
	}
	*ret_steering = steering;
	return 0;
}

int steering_open(const struct sticky_settings *settings, const struct log *log,
		  struct steering **ret_steering)
{
	struct steering *steering = calloc(1, sizeof(*steering));
	int error;

	if (!steering)
		return -ENOMEM;
	steering->settings = *settings;
	steering->log = *log;

	error = load(log, NULL, NULL, NULL, &steering->shared);
	if (!error)
		error = write_settings(steering);
	if (!error)
		error = begin_table(steering, false);
	if (error) {
		steering_close(steering);
		return error;
	}
	*ret_steering = steering;
	return 0;
}

/* Remove the pins. The directory stays: it is the caller's. */
static void unpin(struct steering *steering)
{
	char name[MAPPIN_NAME_SIZE];
	uint32_t i;

	if (!steering->pins)
		return;
	mappin_remove(steering->pins, "settings");
	mappin_remove(steering->pins, "table");
	mappin_remove(steering->pins, "counters");
	mappin_remove(steering->pins, "proxies");
	for (i = 0; i < steering->listener_count; i++) {
		mappin_name_entries(i, name);
		mappin_remove(steering->pins, name);
	}
	free(steering->pins);
	steering->pins = NULL;
}

void steering_close(struct steering *steering)
{
	if (!steering)
		return;
	unpin(steering);
	while (steering->listener_count)
		steering_remove_last_listener(steering);
	sticky_bpf__destroy(steering->shared);
	free(steering);
}

/* ---- Pins ------------------------------------------------------------------------- */

static int pin_entries(const struct steering *steering, uint32_t listener)
{
	char name[MAPPIN_NAME_SIZE];

	mappin_name_entries(listener, name);
	return mappin_make(steering->pins, name, steering->listeners[listener]->maps.entries);
}

int steering_pin(struct steering *steering, const char *directory)
{
	uint32_t listener;
	int error;

	if (!steering->shared)
		return -EOPNOTSUPP;
	steering->pins = strdup(directory);
	if (!steering->pins)
		return -ENOMEM;
	error = mappin_make(directory, "settings", steering->shared->maps.settings);
	if (!error)
		error = mappin_make(directory, "table", steering->shared->maps.table);
	if (!error)
		error = mappin_make(directory, "counters", steering->shared->maps.counters);
	if (!error)
		error = mappin_make(directory, "proxies", steering->shared->maps.proxies);
	for (listener = 0; !error && listener < steering->listener_count; listener++)
		error = pin_entries(steering, listener);
	if (error)
		unpin(steering);
	return error;
}

int steering_adopt(const char *directory, const struct log *log, struct steering **ret_steering)
{
	struct steering *steering = calloc(1, sizeof(*steering));
	uint32_t zero = 0;
	int error;

	if (!steering)
		return -ENOMEM;
	steering->log = *log;
	error = load(log, NULL, directory, NULL, &steering->shared);
	if (!error)
		error = bpf_map_lookup_elem(bpf_map__fd(steering->shared->maps.settings), &zero,
					    &steering->settings);
	if (!error && steering->settings.abi_version != STICKY_ABI_VERSION)
		error = -EPROTO;
	steering->table_is_unknown = true;
	if (!error)
		error = begin_table(steering, true);
	if (!error) {
		steering->pins = strdup(directory);
		error = steering->pins ? 0 : -ENOMEM;
	}
	if (error) {
		free(steering->pins);
		steering->pins = NULL; /* they are not ours to remove */
		steering_close(steering);
		return error;
	}
	*ret_steering = steering;
	return 0;
}

int steering_adopt_listener(struct steering *steering)
{
	struct sticky_bpf *skeleton;
	char name[MAPPIN_NAME_SIZE];
	int error;

	if (steering->listener_count == STICKY_LISTENERS_LIMIT)
		return -E2BIG;
	mappin_name_entries(steering->listener_count, name);
	error = load(&steering->log, steering->shared, steering->pins, name, &skeleton);
	if (error)
		return error;
	steering->listeners[steering->listener_count] = skeleton;
	return (int)steering->listener_count++;
}

int steering_attach(struct steering *steering, uint32_t listener, int socket)
{
	int program = bpf_program__fd(steering->listeners[listener]->progs.sticky_select);

	return setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof(program))
		       ? -errno
		       : 0;
}

int steering_cookie(const struct steering *steering, uint32_t listener, uint32_t slot,
		    uint64_t *ret_cookie)
{
	return bpf_map_lookup_elem(bpf_map__fd(steering->listeners[listener]->maps.entries), &slot,
				   ret_cookie);
}

/* ---- Listeners and slots ------------------------------------------------------------ */

int steering_add_listener(struct steering *steering, int first_socket)
{
	struct sticky_bpf *skeleton;
	uint32_t index = steering->listener_count;
	int error;

	if (index == STICKY_LISTENERS_LIMIT)
		return -E2BIG;
	error = load(&steering->log, steering->shared, NULL, NULL, &skeleton);
	if (error)
		return error;
	steering->listeners[steering->listener_count++] = skeleton;
	error = steering_attach(steering, index, first_socket);
	if (!error && steering->pins)
		error = pin_entries(steering, index);
	if (error) {
		steering_remove_last_listener(steering);
		return error;
	}
	return (int)index;
}

void steering_remove_last_listener(struct steering *steering)
{
	sticky_bpf__destroy(steering->listeners[--steering->listener_count]);
}

int steering_set_table(struct steering *steering, uint32_t slots, const bool *is_away)
{
	struct sticky_table *table = plan_next(&steering->plan, slots, is_away);
	uint32_t moved, former = steering->settings.slots;
	int error;

	if (!table)
		return -ENOMEM;
	moved = table_difference(steering->plan.present.slots, table->slots);
	/*
	 * The number of slots is used by probes alone. With more slots than before it is
	 * raised last, with fewer lowered first: a probe never looks where nothing is.
	 */
	if (slots < former)
		steering->settings.slots = slots;
	error = write_settings(steering);
	if (!error && (moved || steering->table_is_unknown))
		error = write_table(steering, table);
	if (!error) {
		steering->table_is_unknown = false;
		plan_take(&steering->plan, table);
	}
	steering->settings.slots = error ? former : slots;
	if (!error || slots < former) {
		int late = write_settings(steering);

		error = error ? error : late;
	}
	free(table);
	return error ? error : (int)moved;
}

static int entries_fd(const struct steering *steering, uint32_t listener)
{
	return bpf_map__fd(steering->listeners[listener]->maps.entries);
}

int steering_put(struct steering *steering, uint32_t listener, uint32_t slot, int socket)
{
	uint64_t value = (uint64_t)socket;

	/* BPF_ANY is the atomic swap; BPF_EXIST fails once a worker shut its socket. */
	return bpf_map_update_elem(entries_fd(steering, listener), &slot, &value, BPF_ANY);
}

int steering_empty(struct steering *steering, uint32_t listener, uint32_t slot)
{
	int error = bpf_map_delete_elem(entries_fd(steering, listener), &slot);

	return error == -ENOENT ? 0 : error;
}

int steering_set_wake(struct steering *steering, uint16_t port, uint32_t slot)
{
	steering->settings.wake_port = port;
	steering->settings.wake_slot = (uint16_t)slot;
	return write_settings(steering);
}

int steering_set_dispatchers(struct steering *steering, uint32_t count)
{
	steering->settings.dispatchers = count;
	return write_settings(steering);
}

int steering_set_sample(struct steering *steering, uint32_t one_in)
{
	steering->settings.sample_mask = one_in ? one_in - 1 : 0;
	return write_settings(steering);
}

int steering_set_proxies(struct steering *steering, const struct sticky_prefix *proxies,
			 size_t count, bool may_go_direct)
{
	int error;

	if (!steering->shared)
		return 0;
	steering->settings.proxies_may_go_direct = may_go_direct;
	error = proxymap_replace(bpf_map__fd(steering->shared->maps.proxies), proxies, count);
	return error ? error : write_settings(steering);
}

int steering_count(struct steering *steering, struct sticky_cpu_counters *ret_sum)
{
	int cpus = libbpf_num_possible_cpus();
	struct sticky_cpu_counters sum = {0};
	struct sticky_cpu_counters *each;
	uint32_t zero = 0;
	int error, cpu, i;

	if (!steering->shared) {
		*ret_sum = sum;
		return 0;
	}
	if (cpus < 0)
		return cpus;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	error = bpf_map_lookup_elem(bpf_map__fd(steering->shared->maps.counters), &zero, each);
	for (cpu = 0; !error && cpu < cpus; cpu++) {
		for (i = 0; i < STICKY_EXIT_COUNT; i++)
			sum.exits[i] += each[cpu].exits[i];
		for (i = 0; i < STICKY_SLOTS_MAX; i++)
			sum.steered[i] += each[cpu].steered[i];
	}
	free(each);
	if (error)
		return error;
	*ret_sum = sum;
	return 0;
}

uint32_t steering_slot_of(const struct steering *steering, uint32_t bucket)
{
	return sticky_table_slot(&steering->plan.present, bucket);
}

uint32_t steering_count_buckets(const struct steering *steering, uint32_t slot)
{
	return steering->plan.buckets[slot];
}

const struct sticky_settings *steering_settings(const struct steering *steering)
{
	return &steering->settings;
}
