// SPDX-License-Identifier: MIT
#include "supervise/kept_sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "rights/privilege.h"
#include "common/timer.h"
#include "procfs/process_sockets.h"
#include "procfs/process_tree.h"
#include "procfs/sockdiag.h"
#include "procfs/socket_holders.h"
#include "listen/listeners.h"
#include "supervise/supervise_internal.h"

/*
 * Time until the first look. By then the library has closed our own duplicates: see
 * sticky_group_fd().
 */
#define FIRST_LOOK_MS 10
#define LOOK_MAX_MS   1000
/*
 * How long a socket is watched whose holder can't be reached: a killed process may take time to
 * end.
 */
#define GIVE_UP_MS 1200

/* A worker that has ended. */
struct entry {
	struct entry *next;
	uint32_t slot;
	pid_t pid; /* also of its process group, whose other processes were killed */
	uint64_t since_ms;
	uint64_t rest_ms; /* time between the last look and the next one */
	uint64_t due_ms;
	uint64_t cookies[STICKY_LISTENERS_LIMIT];
	/* Results of the last look. */
	uint32_t inodes[STICKY_LISTENERS_LIMIT]; /* of sockets that still listen; else 0 */
	bool is_ours[STICKY_LISTENERS_LIMIT];	 /* this process has it open */
	pid_t holder;	 /* a process that has one of them open; 0: none was seen */
	int fetch_error; /* -errno: why the holder's socket could not be shut down */
	bool is_reported;
};

struct kept_sockets {
	struct supervisor *supervisor;
	struct event *timer;
	struct entry *entries;
	struct entry *looked_at; /* entries whose time has come; they are not in `entries` */
};

/*
 * Returns true if the holder is in the worker's process group, which was killed: it is about to
 * end.
 */
static bool is_being_killed(const struct entry *entry, pid_t holder)
{
	return getpgid(holder) == entry->pid;
}

static void add_event(const struct kept_sockets *kept, struct entry *entry, pid_t holder,
		      const char *so, const char *hint)
{
	char command[PROCESS_COMMAND_SIZE];
	json_t *fields;

	if (entry->is_reported)
		return;
	entry->is_reported = true;
	fields = json_pack("{s:i}", "slot", (int)entry->slot);
	if (holder) {
		process_command(holder, command);
		json_object_set_new(fields, "pid", json_integer(holder));
		json_object_set_new(fields, "command", json_string(command));
	}
	json_object_set_new(fields, "so", json_string(so));
	json_object_set_new(fields, "hint", json_string(hint));
	supervisor_note(kept->supervisor, STICKY_LOG_WARN, "socket_kept", fields);
}

static void report_shut_down(const struct kept_sockets *kept, struct entry *entry, pid_t holder)
{
	if (!is_being_killed(entry, holder))
		add_event(kept, entry, holder,
			  kept->supervisor->stopping
				  ? "this process kept the listening socket of a worker that has "
				    "ended: the socket was shut down, its address is free"
				  : "this process kept the listening socket of a worker that has "
				    "ended: the socket was shut down, its clients have moved",
			  "let the worker close its descriptors in the programs that it starts: "
			  "close_fds=True in Python, FD_CLOEXEC elsewhere");
}

static void report_unreachable(const struct kept_sockets *kept, struct entry *entry)
{
	add_event(kept, entry, entry->holder,
		  "another process keeps the listening socket of a worker that has ended: the "
		  "clients that wait in it get no answer",
		  entry->holder && entry->fetch_error != -EPERM
			  ? "end this process; and let the worker close its descriptors in the "
			    "programs that it starts (close_fds=True, FD_CLOEXEC)"
			  : "end this process, 'ss -ltnp' shows it; with CAP_SYS_PTRACE stickyctl "
			    "shuts such a socket down itself; and let the worker close its "
			    "descriptors in the programs that it starts (close_fds=True, "
			    "FD_CLOEXEC)");
}

/* For sockdiag_listeners(): keep the inode of a socket that still listens. */
static void on_listener(void *context, const struct sockdiag_listener *listener)
{
	struct kept_sockets *kept = context;
	struct entry *entry;
	uint32_t i;

	for (entry = kept->looked_at; entry; entry = entry->next)
		for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
			if (entry->cookies[i] && entry->cookies[i] == listener->cookie)
				entry->inodes[i] = listener->inode;
}

/*
 * Returns the entry to which a socket belongs, and the socket's index there; NULL: no entry has it.
 */
static struct entry *entry_of(const struct kept_sockets *kept, uint32_t inode, uint32_t *ret_index)
{
	struct entry *entry;
	uint32_t i;

	for (entry = kept->looked_at; entry && inode; entry = entry->next)
		for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
			if (entry->inodes[i] == inode) {
				*ret_index = i;
				return entry;
			}
	return NULL;
}

static bool on_own_socket(void *context, int number, uint32_t inode)
{
	uint32_t index;
	struct entry *entry = entry_of(context, inode, &index);

	(void)number;
	if (entry)
		entry->is_ours[index] = true;
	return true;
}

static bool is_worker_of(const struct supervised_slot *slot, pid_t pid)
{
	const struct worker *worker;

	if ((slot->current && pid_of(slot->current) == pid) ||
	    (slot->next && pid_of(slot->next) == pid))
		return true;
	for (worker = slot->draining; worker; worker = worker->next_draining)
		if (pid_of(worker) == pid)
			return true;
	return false;
}

/*
 * Returns true if this process is a worker, and may be about to begin. Until it runs its program it
 * has all of our descriptors open, even duplicates that we have closed by now. After GIVE_UP_MS a
 * worker counts as any other process.
 */
static bool is_beginning(const struct kept_sockets *kept, const struct entry *entry, pid_t pid)
{
	uint32_t i;

	if (clock_ms() - entry->since_ms >= GIVE_UP_MS)
		return false;
	for (i = 0; i < STICKY_SLOTS_LIMIT; i++)
		if (kept->supervisor->slots[i] && is_worker_of(kept->supervisor->slots[i], pid))
			return true;
	return false;
}

/* For socket_holders_walk(): shut a socket down by a duplicate of the holder's descriptor. */
static bool on_holder(void *context, pid_t pid, int number, uint32_t inode)
{
	struct kept_sockets *kept = context;
	uint32_t index;
	struct entry *entry = entry_of(kept, inode, &index);
	int fd;

	if (!entry || entry->is_ours[index] || pid == getpid() || is_beginning(kept, entry, pid))
		return true;
	entry->holder = pid;
	fd = socket_holder_fetch(pid, number, entry->cookies[index]);
	entry->fetch_error = fd < 0 ? fd : shutdown(fd, SHUT_RDWR) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	if (entry->fetch_error)
		return true;
	entry->inodes[index] = entry->cookies[index] = 0;
	report_shut_down(kept, entry, pid);
	sticky_slot_wake(kept->supervisor->options.group, entry->slot);
	return true;
}

static bool still_listens(const struct entry *entry)
{
	uint32_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		if (entry->inodes[i])
			return true;
	return false;
}

static bool one_listens(const struct kept_sockets *kept)
{
	const struct entry *entry;

	for (entry = kept->looked_at; entry; entry = entry->next)
		if (still_listens(entry))
			return true;
	return false;
}

/*
 * Look at the sockets of all entries of looked_at.
 *
 * is_last  this process is about to close its own duplicates, too
 */
static void look(struct kept_sockets *kept, bool is_last)
{
	uint16_t ports[STICKY_LISTENERS_LIMIT];
	size_t port_count = listen_ports(kept->supervisor->options.group, ports);
	struct entry *entry;
	unsigned int previous;
	int error;

	for (entry = kept->looked_at; entry; entry = entry->next) {
		memset(entry->inodes, 0, sizeof(entry->inodes));
		memset(entry->is_ours, 0, sizeof(entry->is_ours));
		entry->holder = 0;
	}
	error = sockdiag_listeners(ports, port_count, on_listener, kept);
	if (error)
		report(STICKY_LOG_WARN, "sockets_not_listed", "error=\"%s\"", strerror(-error));
	if (!one_listens(kept))
		return;
	previous = privilege_raise(PRIVILEGE_SYS_PTRACE | PRIVILEGE_DAC_READ_SEARCH);
	error = is_last ? 0 : process_each_socket(getpid(), on_own_socket, kept);
	if (!error)
		error = socket_holders_walk(on_holder, kept);
	privilege_restore(previous);
	if (error)
		report(STICKY_LOG_WARN, "proc_not_read", "error=\"%s\"", strerror(-error));
}

static void take_due(struct kept_sockets *kept, uint64_t now_ms)
{
	struct entry **link = &kept->entries, *entry;

	while ((entry = *link)) {
		if (entry->due_ms > now_ms) {
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		entry->next = kept->looked_at;
		kept->looked_at = entry;
	}
}

static bool has_ours(const struct entry *entry)
{
	uint32_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		if (entry->is_ours[i])
			return true;
	return false;
}

/* Returns true if nothing is left to do for this worker. */
static bool is_over(const struct kept_sockets *kept, struct entry *entry, uint64_t now_ms)
{
	if (!still_listens(entry))
		return true;
	/*
	 * If this process itself still has the socket open, look again later: its duplicates will
	 * be closed.
	 */
	if (has_ours(entry) || now_ms - entry->since_ms < GIVE_UP_MS)
		return false;
	report_unreachable(kept, entry);
	return true;
}

static void put_back(struct kept_sockets *kept, uint64_t now_ms)
{
	struct entry *entry;

	while ((entry = kept->looked_at)) {
		kept->looked_at = entry->next;
		if (is_over(kept, entry, now_ms)) {
			free(entry);
			continue;
		}
		entry->rest_ms =
			2 * entry->rest_ms < LOOK_MAX_MS ? 2 * entry->rest_ms : LOOK_MAX_MS;
		entry->due_ms = now_ms + entry->rest_ms;
		entry->next = kept->entries;
		kept->entries = entry;
	}
}

static void start_timer(const struct kept_sockets *kept, uint64_t now_ms)
{
	const struct entry *entry;
	uint64_t due_ms = UINT64_MAX;

	for (entry = kept->entries; entry; entry = entry->next)
		due_ms = entry->due_ms < due_ms ? entry->due_ms : due_ms;
	if (kept->entries)
		timer_start(kept->timer, due_ms > now_ms ? due_ms - now_ms : 0);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct kept_sockets *kept = context;
	uint64_t now_ms = clock_ms();

	(void)fd;
	(void)what;
	take_due(kept, now_ms);
	if (kept->looked_at)
		look(kept, false);
	put_back(kept, now_ms);
	start_timer(kept, now_ms);
}

int kept_sockets_open(struct supervisor *supervisor, struct kept_sockets **ret_kept)
{
	struct kept_sockets *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return -ENOMEM;
	kept->supervisor = supervisor;
	kept->timer = evtimer_new(supervisor->options.base, on_timer, kept);
	if (!kept->timer) {
		free(kept);
		return -ENOMEM;
	}
	*ret_kept = kept;
	return 0;
}

/*
 * Report a holder that could not be reached, unless it was killed a moment ago and ends by itself.
 */
static void report_last(const struct kept_sockets *kept, struct entry *entry)
{
	if (still_listens(entry) && entry->holder && !is_being_killed(entry, entry->holder))
		report_unreachable(kept, entry);
}

void kept_sockets_close(struct kept_sockets *kept)
{
	struct entry *entry;

	if (!kept)
		return;
	take_due(kept, UINT64_MAX);
	if (kept->looked_at)
		look(kept, true);
	while ((entry = kept->looked_at)) {
		kept->looked_at = entry->next;
		report_last(kept, entry);
		free(entry);
	}
	event_free(kept->timer);
	free(kept);
}

static bool has_cookie(const uint64_t *cookies)
{
	uint32_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		if (cookies[i])
			return true;
	return false;
}

static void add(struct kept_sockets *kept, uint32_t slot, pid_t pid, const uint64_t *cookies)
{
	struct entry *entry;

	/* If connections are passed, workers have no listening sockets. */
	if (!has_cookie(cookies))
		return;
	entry = calloc(1, sizeof(*entry));
	if (!entry) {
		report(STICKY_LOG_WARN, "kept_sockets_not_sought", "slot=%u error=\"%s\"", slot,
		       strerror(ENOMEM));
		return;
	}
	*entry = (struct entry){
		.next = kept->entries,
		.slot = slot,
		.pid = pid,
		.since_ms = clock_ms(),
		.rest_ms = FIRST_LOOK_MS,
		.due_ms = clock_ms() + FIRST_LOOK_MS,
	};
	memcpy(entry->cookies, cookies, sizeof(entry->cookies));
	kept->entries = entry;
	start_timer(kept, clock_ms());
}

void kept_sockets_look_later(struct kept_sockets *kept, const struct worker *worker)
{
	/* A socket that the workers of a slot share still listens for the next worker. */
	if (supervisor_shares_sockets(kept->supervisor) && !kept->supervisor->stopping)
		return;
	add(kept, worker->slot->index, pid_of(worker), worker->cookies);
}

void kept_sockets_look_for_record(struct kept_sockets *kept, const struct worker_record *record)
{
	add(kept, record->slot, record->pid, record->cookies);
}
