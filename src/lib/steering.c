// SPDX-License-Identifier: MIT
#include "steering.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sticky.skel.h"
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
	uint16_t table[STICKY_BUCKETS];
};

/*
 * libbpf prints to stderr unless it is told otherwise, and its callback has no context:
 * the one that is calling into libbpf in this thread.
 */
static _Thread_local const struct log *current_log;

static int report_libbpf(enum libbpf_print_level level, const char *format, va_list args)
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

static libbpf_print_fn_t begin_libbpf(const struct log *log)
{
	current_log = log;
	return libbpf_set_print(report_libbpf);
}

static void end_libbpf(libbpf_print_fn_t former)
{
	libbpf_set_print(former);
	current_log = NULL;
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
		error = bpf_map__reuse_fd(skeleton->maps.table, bpf_map__fd(shared->maps.table));
	if (!error)
		error = bpf_map__reuse_fd(skeleton->maps.counters,
					  bpf_map__fd(shared->maps.counters));
	return error;
}

static int load(const struct log *log, const struct sticky_bpf *shared,
		struct sticky_bpf **ret_skeleton)
{
	libbpf_print_fn_t former = begin_libbpf(log);
	struct sticky_bpf *skeleton = sticky_bpf__open();
	int error = skeleton ? 0 : -errno;

	if (!error && shared)
		error = share_maps(skeleton, shared);
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

static int write_settings(struct steering *steering)
{
	uint32_t zero = 0;

	return bpf_map_update_elem(bpf_map__fd(steering->shared->maps.settings), &zero,
				   &steering->settings, BPF_ANY);
}

/* Replace the table whole. Waits for running programs: about 8 ms. */
static int write_table(struct steering *steering)
{
	uint32_t zero = 0;
	int inner, error;

	inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sticky_table", sizeof(zero),
			       sizeof(steering->table), 1, NULL);
	if (inner < 0)
		return inner;
	error = bpf_map_update_elem(inner, &zero, steering->table, BPF_ANY);
	if (!error)
		error = bpf_map_update_elem(bpf_map__fd(steering->shared->maps.table), &zero,
					    &inner, BPF_ANY);
	close(inner); /* the outer map holds it */
	return error;
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
	table_fill(settings->slots, steering->table);

	error = load(log, NULL, &steering->shared);
	if (!error)
		error = write_settings(steering);
	if (!error)
		error = write_table(steering);
	if (error) {
		steering_close(steering);
		return error;
	}
	*ret_steering = steering;
	return 0;
}

void steering_close(struct steering *steering)
{
	if (!steering)
		return;
	while (steering->listener_count)
		steering_remove_last_listener(steering);
	sticky_bpf__destroy(steering->shared);
	free(steering);
}

int steering_add_listener(struct steering *steering, int first_socket)
{
	struct sticky_bpf *skeleton;
	int program, error;

	if (steering->listener_count == STICKY_LISTENERS_LIMIT)
		return -E2BIG;
	error = load(&steering->log, steering->shared, &skeleton);
	if (error)
		return error;
	program = bpf_program__fd(skeleton->progs.sticky_select);
	if (setsockopt(first_socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program,
		       sizeof(program))) {
		error = -errno;
		sticky_bpf__destroy(skeleton);
		return error;
	}
	steering->listeners[steering->listener_count] = skeleton;
	return (int)steering->listener_count++;
}

void steering_remove_last_listener(struct steering *steering)
{
	sticky_bpf__destroy(steering->listeners[--steering->listener_count]);
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

int steering_count(struct steering *steering, struct sticky_cpu_counters *ret_sum)
{
	int fd = bpf_map__fd(steering->shared->maps.counters);
	int cpus = libbpf_num_possible_cpus();
	struct sticky_cpu_counters sum = {0};
	struct sticky_cpu_counters *each;
	uint32_t zero = 0;
	int error, cpu, i;

	if (cpus < 0)
		return cpus;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	error = bpf_map_lookup_elem(fd, &zero, each);
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

int steering_reset_counters(struct steering *steering)
{
	int cpus = libbpf_num_possible_cpus();
	struct sticky_cpu_counters *zeros;
	uint32_t zero = 0;
	int error;

	if (cpus < 0)
		return cpus;
	zeros = calloc((size_t)cpus, sizeof(*zeros));
	if (!zeros)
		return -ENOMEM;
	error = bpf_map_update_elem(bpf_map__fd(steering->shared->maps.counters), &zero, zeros,
				    BPF_ANY);
	free(zeros);
	return error;
}

uint32_t steering_slot_of(const struct steering *steering, uint32_t bucket)
{
	return steering->table[bucket];
}

const struct sticky_settings *steering_settings(const struct steering *steering)
{
	return &steering->settings;
}
