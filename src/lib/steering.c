// SPDX-License-Identifier: MIT
#include "lib/steering.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf/select.h"
#include "lib/bpf_access.h"
#include "lib/bpf_program.h"
#include "lib/table_state.h"
#include "lib/bpf_proxies.h"
#include "lib/table.h"

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

#ifndef SO_ATTACH_REUSEPORT_EBPF
#define SO_ATTACH_REUSEPORT_EBPF 52
#endif

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

#define TABLES 2

struct steering {
	struct sticky_settings settings;
	struct bpf_access access;
	struct loaded_program *program; /* NULL: the kernel does not place connections */
	uint32_t listener_count;
	struct sticky_listener_key listeners[STICKY_LISTENERS_LIMIT];
	char *pins;		  /* the directory of the pins; NULL: not pinned */
	struct table_state table; /* its `present` table is the one in the kernel */
	/* the kernel's table was written by another process, and may differ from `table` */
	bool table_is_unknown;
	int tables[TABLES]; /* the inner maps, one of which is in use; -1: not created */
	uint32_t table_in_use;
};

static struct steering *new_steering(const struct bpf_access *access)
{
	struct steering *steering = calloc(1, sizeof(*steering));
	uint32_t i;

	if (!steering)
		return NULL;
	steering->access = *access;
	for (i = 0; i < TABLES; i++)
		steering->tables[i] = -1;
	return steering;
}

static int map_of(const struct steering *steering, enum program_map map)
{
	return program_map(steering->program, map);
}

bool steering_is_kernel(const struct steering *steering)
{
	return steering->program != NULL;
}

static int write_settings(struct steering *steering)
{
	uint32_t zero = 0;

	if (!steering->program)
		return 0;

	return bpf_access_update(&steering->access, map_of(steering, MAP_SETTINGS), &zero,
				 &steering->settings);
}

/*
 * Replace the whole table: the inner map that is not in use is written, and takes the place of the
 * other one. Waits about 8 ms, until no run of the program can read the previous table any more.
 */
static int write_table(struct steering *steering, const struct sticky_table *table)
{
	uint32_t zero = 0, spare = !steering->table_in_use;
	int error;

	if (!steering->program)
		return 0;
	error = bpf_access_update(&steering->access, steering->tables[spare], &zero, table);
	if (!error)
		error = bpf_access_update(&steering->access, map_of(steering, MAP_TABLE), &zero,
					  &steering->tables[spare]);
	if (!error)
		steering->table_in_use = spare;
	return error;
}

/*
 * Both inner maps are created at once: creating a map needs CAP_BPF, updating one needs no
 * privilege on newer kernels.
 */
static int make_tables(struct steering *steering)
{
	uint32_t i;

	for (i = 0; i < TABLES; i++) {
		int map = bpf_access_create_array(&steering->access, "sticky_table",
						  sizeof(struct sticky_table));

		if (map < 0)
			return map;
		steering->tables[i] = map;
	}
	return 0;
}

static int begin_table(struct steering *steering, bool is_written)
{
	struct sticky_table *table =
		table_state_next(&steering->table, steering->settings.slots, NULL);
	int error = 0;

	if (!table)
		return -ENOMEM;
	if (!is_written)
		error = write_table(steering, table);
	if (!error)
		table_state_take(&steering->table, table);
	free(table);
	return error;
}

int steering_open_user(const struct sticky_settings *settings, struct steering **ret_steering)
{
	const struct bpf_access no_access = {0};
	struct steering *steering = new_steering(&no_access);
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

int steering_open(const struct sticky_settings *settings, const struct bpf_access *access,
		  const struct log *log, struct steering **ret_steering)
{
	struct steering *steering = new_steering(access);
	int error;

	if (!steering)
		return -ENOMEM;
	steering->settings = *settings;
	error = program_load(access, log, NULL, &steering->program);
	if (!error)
		error = make_tables(steering);
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

void steering_close(struct steering *steering)
{
	uint32_t i;

	if (!steering)
		return;
	if (steering->pins)
		program_unpin(steering->pins);
	free(steering->pins);
	for (i = 0; i < TABLES; i++)
		if (steering->tables[i] >= 0)
			close(steering->tables[i]);
	program_unload(steering->program);
	free(steering);
}

/* ---- Pins --------------------------------------------------------------------------- */

int steering_pin(struct steering *steering, const char *directory)
{
	char *pins;
	int error;

	if (!steering->program)
		return -EOPNOTSUPP;
	pins = strdup(directory);
	if (!pins)
		return -ENOMEM;
	error = program_pin(steering->program, &steering->access, directory);
	if (error) {
		free(pins);
		return error;
	}
	steering->pins = pins;
	return 0;
}

void steering_leave_pins(struct steering *steering)
{
	free(steering->pins);
	steering->pins = NULL;
}

/*
 * The settings are read from the map. The table is assumed to be that of all slots, none of them
 * away.
 */
static int read_pinned(struct steering *steering)
{
	uint32_t zero = 0;
	int error = bpf_access_lookup(&steering->access, map_of(steering, MAP_SETTINGS), &zero,
				      &steering->settings);

	if (error)
		return error;
	if (steering->settings.abi_version != STICKY_ABI_VERSION)
		return -EPROTO;
	steering->table_is_unknown = true;
	return begin_table(steering, true);
}

int steering_adopt(const char *directory, const struct bpf_access *access, const struct log *log,
		   struct steering **ret_steering)
{
	struct steering *steering = new_steering(access);
	char *pins = strdup(directory);
	int error;

	if (!steering || !pins) {
		free(steering);
		free(pins);
		return -ENOMEM;
	}
	error = program_load(access, log, directory, &steering->program);
	if (!error)
		error = make_tables(steering);
	if (!error)
		error = read_pinned(steering);
	if (error) {
		free(pins); /* frees only the name: the pins themselves stay */
		steering_close(steering);
		return error;
	}
	steering->pins = pins;
	*ret_steering = steering;
	return 0;
}

/* ---- Listeners ---------------------------------------------------------------------- */

/* Read the key of a listener's sockets, as the program finds it in their struct bpf_sock. */
static int read_key(int socket, struct sticky_listener_key *ret_key)
{
	struct sockaddr_in6 v6 = {0}; /* has room for a struct sockaddr_in */
	struct sockaddr_in v4;
	struct sticky_listener_key key = {0};
	socklen_t length = sizeof(v6);
	int device = 0;

	if (getsockname(socket, (void *)&v6, &length))
		return -errno;
	memcpy(&v4, &v6, sizeof(v4));
	length = sizeof(device);
	if (getsockopt(socket, SOL_SOCKET, SO_BINDTOIFINDEX, &device, &length))
		return -errno;
	key.family = v4.sin_family;
	key.device = (uint32_t)device;
	if (key.family == AF_INET6) {
		key.port = ntohs(v6.sin6_port);
		memcpy(key.address, &v6.sin6_addr, sizeof(key.address));
	} else {
		key.port = ntohs(v4.sin_port);
		memcpy(key.address, &v4.sin_addr, sizeof(v4.sin_addr));
	}
	*ret_key = key;
	return 0;
}

/*
 * With one listener the program does not look its sockets up. Therefore a second listener is put in
 * the map first, and after that the settings say that there are two.
 */
static int announce_listener(struct steering *steering, const struct sticky_listener_key *key)
{
	uint32_t index = steering->listener_count;
	int error =
		bpf_access_update(&steering->access, map_of(steering, MAP_LISTENERS), key, &index);

	if (error)
		return error;
	steering->listeners[index] = *key;
	steering->settings.listeners = ++steering->listener_count;
	error = write_settings(steering);
	if (error)
		steering_remove_last_listener(steering);
	return error;
}

int steering_attach(struct steering *steering, int socket)
{
	int program = program_fd(steering->program);

	return setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof(program))
		       ? -errno
		       : 0;
}

int steering_add_listener(struct steering *steering, int first_socket)
{
	struct sticky_listener_key key;
	int error;

	if (steering->listener_count == STICKY_LISTENERS_LIMIT)
		return -E2BIG;
	error = read_key(first_socket, &key);
	if (!error)
		error = announce_listener(steering, &key);
	if (error)
		return error;
	error = steering_attach(steering, first_socket);
	if (error) {
		steering_remove_last_listener(steering);
		return error;
	}
	return (int)steering->listener_count - 1;
}

void steering_remove_last_listener(struct steering *steering)
{
	const struct sticky_listener_key *key = &steering->listeners[--steering->listener_count];

	steering->settings.listeners = steering->listener_count;
	write_settings(steering);
	bpf_access_delete(&steering->access, map_of(steering, MAP_LISTENERS), key);
}

int steering_adopt_listener(struct steering *steering, int socket)
{
	struct sticky_listener_key key;
	uint32_t index;
	int error;

	if (steering->listener_count == STICKY_LISTENERS_LIMIT)
		return -E2BIG;
	if (socket < 0) {
		steering->listeners[steering->listener_count] = (struct sticky_listener_key){0};
		return (int)steering->listener_count++;
	}
	error = read_key(socket, &key);
	if (!error)
		error = bpf_access_lookup(&steering->access, map_of(steering, MAP_LISTENERS), &key,
					  &index);
	if (error)
		return error;
	if (index != steering->listener_count)
		return -EPROTO; /* the previous process added it at another index */
	steering->listeners[index] = key;
	return (int)steering->listener_count++;
}

/* ---- Slots -------------------------------------------------------------------------- */

static uint32_t entry_of(uint32_t listener, uint32_t slot)
{
	return listener * STICKY_ENTRIES_MAX + slot;
}

int steering_cookie(const struct steering *steering, uint32_t listener, uint32_t slot,
		    uint64_t *ret_cookie)
{
	uint32_t entry = entry_of(listener, slot);

	return bpf_access_lookup(&steering->access, map_of(steering, MAP_ENTRIES), &entry,
				 ret_cookie);
}

int steering_put(struct steering *steering, uint32_t listener, uint32_t slot, int socket)
{
	uint32_t entry = entry_of(listener, slot);
	uint64_t value = (uint64_t)socket;

	/*
	 * BPF_ANY replaces atomically. BPF_EXIST would fail after a worker has shut its socket
	 * down.
	 */
	return bpf_access_update(&steering->access, map_of(steering, MAP_ENTRIES), &entry, &value);
}

int steering_empty(struct steering *steering, uint32_t listener, uint32_t slot)
{
	uint32_t entry = entry_of(listener, slot);
	int error = bpf_access_delete(&steering->access, map_of(steering, MAP_ENTRIES), &entry);

	return error == -ENOENT ? 0 : error;
}

/* ---- Table and settings ------------------------------------------------------------- */

int steering_set_table(struct steering *steering, uint32_t slots, const bool *is_away)
{
	struct sticky_table *table = table_state_next(&steering->table, slots, is_away);
	uint32_t moved, previous = steering->settings.slots;
	int error;

	if (!table)
		return -ENOMEM;
	moved = table_difference(steering->table.present.slots, table->slots);
	/*
	 * The program uses the number of slots for probes only. The number is raised after the
	 * table has grown, and lowered before the table shrinks. A probe thus never chooses a slot
	 * that does not exist.
	 */
	if (slots < previous)
		steering->settings.slots = slots;
	error = write_settings(steering);
	if (!error && (moved || steering->table_is_unknown))
		error = write_table(steering, table);
	if (!error) {
		steering->table_is_unknown = false;
		table_state_take(&steering->table, table);
	}
	steering->settings.slots = error ? previous : slots;
	if (!error || slots < previous) {
		int late = write_settings(steering);

		error = error ? error : late;
	}
	free(table);
	return error ? error : (int)moved;
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

/*
 * The program may read the settings at any moment. The address is therefore written before the
 * port.
 */
int steering_set_check(struct steering *steering, const struct sockaddr *source)
{
	struct sticky_settings *settings = &steering->settings;
	const struct sockaddr_in6 *v6 = (const void *)source;
	const struct sockaddr_in *v4 = (const void *)source;
	int error;

	settings->check_port = 0;
	if (!source)
		return write_settings(steering);
	memset(settings->check_address, 0, sizeof(settings->check_address));
	if (source->sa_family == AF_INET6) {
		memcpy(settings->check_address, &v6->sin6_addr, sizeof(settings->check_address));
	} else {
		settings->check_address[2] = htonl(0xffff);
		settings->check_address[3] = v4->sin_addr.s_addr;
	}
	error = write_settings(steering);
	if (error)
		return error;
	settings->check_port = source->sa_family == AF_INET6 ? v6->sin6_port : v4->sin_port;
	return write_settings(steering);
}

int steering_set_proxies(struct steering *steering, const struct sticky_prefix *proxies,
			 size_t count, bool may_go_direct)
{
	int error;

	if (!steering->program)
		return 0;
	steering->settings.proxies_may_go_direct = may_go_direct;
	error = bpf_proxies_replace(&steering->access, map_of(steering, MAP_PROXIES), proxies,
				    count);
	return error ? error : write_settings(steering);
}

int steering_count(struct steering *steering, struct sticky_cpu_counters *ret_sum)
{
	int cpus = bpf_access_cpus();
	struct sticky_cpu_counters sum = {0};
	struct sticky_cpu_counters *each;
	uint32_t zero = 0;
	int error, cpu, i;

	if (!steering->program) {
		*ret_sum = sum;
		return 0;
	}
	if (cpus < 0)
		return cpus;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	error = bpf_access_lookup(&steering->access, map_of(steering, MAP_COUNTERS), &zero, each);
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
	return sticky_table_slot(&steering->table.present, bucket);
}

uint32_t steering_count_buckets(const struct steering *steering, uint32_t slot)
{
	return steering->table.buckets[slot];
}

const struct sticky_settings *steering_settings(const struct steering *steering)
{
	return &steering->settings;
}
