// SPDX-License-Identifier: MIT
#include "supervise/foreign_listeners.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rights/privilege.h"
#include "procfs/process_sockets.h"
#include "procfs/process_tree.h"
#include "procfs/sockdiag.h"
#include "procfs/socket_holders.h"
#include "policy/listener_overlap.h"
#include "listen/listeners.h"
#include "listen/port_owner.h"
#include "supervise/supervise_internal.h"

#define FOREIGN_MAX  8	/* reported at a time; more of them would tell no more */
#define REPORTED_MAX 64 /* reported sockets that are remembered */
#define PLACES_MAX   (2 * STICKY_LISTENERS_LIMIT)

struct found {
	struct sockdiag_listener listener;
	enum overlap overlap;
	pid_t pid;    /* a process that has it; 0: not known */
	bool is_copy; /* a copy of our socket, in a child that does not run its program yet */
	char command[PROCESS_COMMAND_SIZE];
};

struct sockets {
	struct sockdiag_listener *items;
	size_t count;
	size_t room;
	bool is_cut; /* memory was short: the list is not complete */
};

struct foreign_listeners {
	struct supervisor *supervisor;
	struct found found[FOREIGN_MAX];
	uint32_t count;
	uint64_t reported[REPORTED_MAX];
	uint32_t reported_count;
};

int foreign_listeners_open(struct supervisor *supervisor, struct foreign_listeners **ret_foreign)
{
	struct foreign_listeners *foreign = calloc(1, sizeof(*foreign));

	if (!foreign)
		return -ENOMEM;
	foreign->supervisor = supervisor;
	*ret_foreign = foreign;
	return 0;
}

void foreign_listeners_close(struct foreign_listeners *foreign)
{
	free(foreign);
}

/* ---- Which sockets are ours ---------------------------------------------------------- */

static void collect(void *context, const struct sockdiag_listener *listener)
{
	struct sockets *sockets = context;

	if (sockets->count == sockets->room) {
		size_t room = sockets->room ? 2 * sockets->room : 64;
		struct sockdiag_listener *items =
			realloc(sockets->items, room * sizeof(*sockets->items));

		sockets->is_cut |= !items;
		if (!items)
			return;
		sockets->items = items;
		sockets->room = room;
	}
	sockets->items[sockets->count++] = *listener;
}

static bool has_cookie(const struct worker *worker, uint64_t cookie)
{
	uint32_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		if (worker->cookies[i] == cookie)
			return true;
	return false;
}

static bool is_of_slot(const struct supervised_slot *slot, uint64_t cookie)
{
	const struct worker *worker;

	if ((slot->current && has_cookie(slot->current, cookie)) ||
	    (slot->next && has_cookie(slot->next, cookie)))
		return true;
	for (worker = slot->draining; worker; worker = worker->next_draining)
		if (has_cookie(worker, cookie))
			return true;
	return false;
}

static bool is_of_worker(const struct supervisor *supervisor, uint64_t cookie)
{
	uint32_t i;

	for (i = 0; i < STICKY_SLOTS_LIMIT; i++)
		if (supervisor->slots[i] && is_of_slot(supervisor->slots[i], cookie))
			return true;
	return false;
}

/*
 * Finds the sockets that this process has: holding sockets, duplicates of the workers' sockets, and
 * those of dispatchers.
 */
struct own {
	const struct sockets *sockets;
	bool *is_ours;
};

static bool note_own(void *context, int number, uint32_t inode)
{
	const struct own *own = context;
	size_t i;

	(void)number;
	for (i = 0; i < own->sockets->count; i++)
		if (own->sockets->items[i].inode == inode)
			own->is_ours[i] = true;
	return true;
}

/* ---- Which others are in the way ------------------------------------------------------ */

static struct listener_place place_of(const struct sockdiag_listener *listener)
{
	struct listener_place place = {.port = listener->port, .family = listener->family};

	memcpy(place.address, listener->address, sizeof(place.address));
	return place;
}

/* Returns what the socket `index` takes from any of our sockets. */
static enum overlap overlap_of(const struct sockets *sockets, const bool *is_ours, size_t index)
{
	struct listener_place foreign = place_of(&sockets->items[index]);
	size_t i;

	for (i = 0; i < sockets->count; i++) {
		struct listener_place ours = place_of(&sockets->items[i]);
		enum overlap overlap =
			is_ours[i] ? listener_overlap(&ours, &foreign) : OVERLAP_NONE;

		if (overlap != OVERLAP_NONE)
			return overlap;
	}
	return OVERLAP_NONE;
}

static void judge(struct foreign_listeners *foreign, const struct sockets *sockets,
		  const bool *is_ours)
{
	size_t i;

	for (i = 0; i < sockets->count && foreign->count < FOREIGN_MAX; i++) {
		enum overlap overlap =
			is_ours[i] || is_of_worker(foreign->supervisor, sockets->items[i].cookie)
				? OVERLAP_NONE
				: overlap_of(sockets, is_ours, i);

		if (overlap != OVERLAP_NONE)
			foreign->found[foreign->count++] =
				(struct found){.listener = sockets->items[i], .overlap = overlap};
	}
}

/*
 * Returns true if a process is our child and still runs our program. Until it runs another program
 * or ends, it has copies of sockets that we have closed meanwhile.
 */
static bool is_our_child(pid_t pid)
{
	char path[64];
	struct process_entry entry;
	struct stat program, ours;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return !process_entry_read(pid, &entry) && entry.parent == getpid() &&
	       !stat(path, &program) && !stat("/proc/self/exe", &ours) &&
	       program.st_dev == ours.st_dev && program.st_ino == ours.st_ino;
}

static bool note_holder(void *context, pid_t pid, int number, uint32_t inode)
{
	struct foreign_listeners *foreign = context;
	uint32_t i;

	(void)number;
	for (i = 0; i < foreign->count; i++) {
		struct found *found = &foreign->found[i];

		if (found->listener.inode != inode || found->pid)
			continue;
		found->is_copy |= is_our_child(pid);
		found->pid = found->is_copy ? 0 : pid;
		process_command(pid, found->command);
	}
	return true;
}

/*
 * Forget copies in our own children, and sockets that no process has any more, as they were closed
 * meanwhile. Only root sees the descriptors of all processes: without root's rights, a socket whose
 * process was not found is kept.
 */
static void forget_copies(struct foreign_listeners *foreign)
{
	uint32_t i, count = 0;

	for (i = 0; i < foreign->count; i++)
		if (foreign->found[i].pid || (!foreign->found[i].is_copy && geteuid() != 0))
			foreign->found[count++] = foreign->found[i];
	foreign->count = count;
}

/* ---- Reports --------------------------------------------------------------------------- */

static json_t *describe(const struct found *found)
{
	char address[STICKY_ADDRESS_TEXT_SIZE];

	listener_format(&found->listener, address);
	return json_pack("{s:s, s:o, s:s, s:I}", "address", address, "pid",
			 found->pid ? json_integer(found->pid) : json_null(), "command",
			 found->command, "uid", (json_int_t)found->listener.uid);
}

static bool is_reported(struct foreign_listeners *foreign, uint64_t cookie)
{
	uint32_t i, count = foreign->reported_count;

	for (i = 0; i < count && i < REPORTED_MAX; i++)
		if (foreign->reported[i] == cookie)
			return true;
	foreign->reported[foreign->reported_count++ % REPORTED_MAX] = cookie;
	return false;
}

static void report_new(struct foreign_listeners *foreign)
{
	uint32_t i;

	for (i = 0; i < foreign->count; i++) {
		const struct found *found = &foreign->found[i];
		json_t *fields;

		if (is_reported(foreign, found->listener.cookie))
			continue;
		fields = describe(found);
		json_object_set_new(
			fields, "so",
			json_string(
				found->overlap == OVERLAP_SAME
					? "it is in the workers' group of sockets, and can take "
					  "their connections"
					: "connections to this address go there, and not to the "
					  "workers"));
		json_object_set_new(
			fields, "hint",
			json_string("end this process, or let it listen elsewhere; with "
				    "--user no worker can do that"));
		supervisor_note(foreign->supervisor, STICKY_LOG_WARN, "foreign_listener", fields);
	}
}

static int find(struct foreign_listeners *foreign, const struct sockets *sockets)
{
	bool *is_ours = calloc(sockets->count + 1, sizeof(*is_ours));
	struct own own = {sockets, is_ours};
	int error = is_ours ? process_each_socket(getpid(), note_own, &own) : -ENOMEM;

	if (!error)
		judge(foreign, sockets, is_ours);
	free(is_ours);
	if (!error && foreign->count)
		error = socket_holders_walk(note_holder, foreign);
	forget_copies(foreign);
	return error;
}

void foreign_listeners_look(struct foreign_listeners *foreign)
{
	uint16_t ports[STICKY_LISTENERS_LIMIT];
	size_t port_count = listen_ports(foreign->supervisor->options.group, ports);
	struct sockets sockets = {0};
	unsigned int previous;
	int error;

	foreign->count = 0;
	if (!port_count)
		return;
	error = sockdiag_listeners(ports, port_count, collect, &sockets);
	previous = privilege_raise(PRIVILEGE_SYS_PTRACE | PRIVILEGE_DAC_READ_SEARCH);
	if (!error && !sockets.is_cut)
		error = find(foreign, &sockets);
	privilege_restore(previous);
	free(sockets.items);
	if (error)
		report(STICKY_LOG_WARN, "listeners_not_seen", "error=\"%s\"", strerror(-error));
	report_new(foreign);
}

json_t *foreign_listeners_json(const struct foreign_listeners *foreign)
{
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; i < foreign->count; i++)
		json_array_append_new(list, describe(&foreign->found[i]));
	return list;
}
