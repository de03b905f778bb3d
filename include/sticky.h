/* SPDX-License-Identifier: MIT */
/*
 * libsticky sends each new TCP connection to the worker that owns the client's address. The
 * worker is chosen inside the kernel.
 *
 * A *group* owns one or more listening addresses and a number of *slots*. Slots are stable
 * worker indices, 0 .. N-1. A *worker* serves a slot: it is a thread of this process, or a
 * process that this one starts. Each worker has listening sockets of its own, one for each
 * address. Workers follow each other in a slot, and each has a *generation*: a number that
 * counts the workers of the slot. While a slot has no ready worker, its connections wait in a
 * holding socket of the group, and the next ready worker gets them in order.
 *
 *     struct sticky_group_options options = {.slots = 4};
 *     struct sticky_group *group;
 *     options.size = sizeof(options);
 *     sticky_group_open(&options, &group);
 *     sticky_group_listen(group, "127.0.0.1:8080");
 *     // for each slot, in a thread of its own:
 *     struct sticky_worker *worker;
 *     sticky_worker_open(group, slot, &worker);
 *     sticky_worker_ready(worker);                  // from now on clients arrive
 *     fd = accept4(sticky_worker_fd(worker, 0), NULL, NULL, SOCK_CLOEXEC);
 *     sticky_worker_close(worker);                  // the next worker gets its queue
 *
 * Conventions. Functions return 0, or a value >= 0 if their description says so, or a
 * negative errno. Outputs (ret_...) are untouched on failure. Structures whose first member
 * is `size` can grow in later versions: set it to sizeof(the structure). In options, members
 * that the library does not know must be zero, and members that the caller does not know
 * have their defaults. In outputs, the library writes the members that both sides know, and
 * leaves `size` as it is.
 *
 * The library never prints, never exits, starts no thread and owns no event loop.
 * It has no state but that of its groups, so that several groups, and several copies of the
 * library, work beside each other. It contains a copy of libbpf of its own: a host that uses
 * libbpf, too, keeps its version of it and its print callback. Every descriptor that the library
 * opens is close-on-exec.
 *
 * Errors: sticky_strerror() gives the cause and the remedy of each.
 *
 * Fork: a child that fork(2) made has the descriptors of its parent's group. It may accept from
 * sticky_worker_fd(), and find slots by sticky_group_where(). Functions that change something
 * return -ECHILD there, as the parent would not know of the change; sticky_worker_close() and
 * sticky_group_close() close the descriptors of the child, and leave those of the parent and the
 * kernel's maps as they are. A child may open a group of its own.
 *
 * Threads: any function may be called from any thread, also for the same group: a lock in the
 * group orders the calls. There are two exceptions. No thread may use a group, a worker or
 * dispatchers during or after their close. A struct sticky_process belongs to one thread at a
 * time.
 *
 * Privilege: opening a group needs CAP_BPF (or CAP_SYS_ADMIN) and Linux 5.14. After that no
 * call needs CAP_BPF, even if it adds a listener. Before Linux 5.19, however, every call needs
 * it: see sticky_raise_fn. A listener below port 1024 needs CAP_NET_BIND_SERVICE. All sockets
 * of a group must be created under one effective uid, which the kernel requires for
 * SO_REUSEPORT.
 */
#ifndef STICKY_H
#define STICKY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STICKY_VERSION_MAJOR 0
#define STICKY_VERSION_MINOR 1
#define STICKY_VERSION_PATCH 0
#define STICKY_VERSION	     "0.1.0"

#define STICKY_SEED_SIZE       8     /* bytes of a hash seed */
#define STICKY_SLOTS_LIMIT     1024  /* slots of a group, at most */
#define STICKY_LISTENERS_LIMIT 16    /* listening addresses of a group, at most */
#define STICKY_BUCKET_COUNT    65536 /* buckets, shared evenly among the slots */

/*
 * Room for any address that the library writes as text, such as "[v6%zone]:port" or "v6/prefix",
 * with its NUL.
 */
#define STICKY_ADDRESS_TEXT_SIZE 80

/* Room for the text that sticky_explain() writes, with its NUL. */
#define STICKY_EXPLANATION_SIZE 512

struct sticky_group;
struct sticky_worker;
struct sticky_dispatchers;

/* How connections get to their slots. sticky_group_abilities() tells what follows from it. */
enum sticky_engine {
	STICKY_ENGINE_KERNEL,  /* a BPF program: needs CAP_BPF and Linux 5.14 */
	STICKY_ENGINE_USER,    /* dispatchers: no privilege; slots have no listening sockets */
	STICKY_ENGINE_CLASSIC, /* a classic BPF program: no privilege, Linux 4.6; few slots */
	STICKY_ENGINE_COUNT
};

/* What a group can do, which depends on its engine: bits of sticky_group_abilities(). */
enum sticky_ability {
	/* Workers have listening sockets. Without: every connection comes to the dispatchers. */
	STICKY_CAN_GIVE_SOCKETS = 1,
	/*
	 * Each worker has sockets of its own, and the queue of a socket that is closed moves to the
	 * slot's next one. Without: a slot keeps one socket for each listener, which all its
	 * workers share.
	 */
	STICKY_CAN_MOVE_QUEUES = 2,
	/* sticky_group_counters() counts. Without: the counters are zero. */
	STICKY_CAN_COUNT = 4,
	/* Another process can take the group over: sticky_group_pin(), sticky_group_adopt(). */
	STICKY_CAN_SURVIVE = 8,
	/* Dispatchers can be opened: sticky_dispatchers_open(). */
	STICKY_CAN_DISPATCH = 16
};

/* How important a message is: see sticky_log_fn. */
enum sticky_log_level {
	STICKY_LOG_ERROR, /* something does not work */
	STICKY_LOG_WARN,  /* it works, but not as it should */
	STICKY_LOG_INFO,
	STICKY_LOG_DEBUG,
	STICKY_LOG_LEVEL_COUNT
};

/*
 * Gets messages about details that a return code does not contain, such as the verifier's log, or
 * which address was in use. It is called in the thread that called the library, sometimes with the
 * group's lock held. It must not call the library for the same group.
 *
 * context  as given in the options
 * event    one word, [a-z_]+, which does not change between versions
 * detail   "key=value key=value ...", one line, may be empty
 */
typedef void sticky_log_fn(void *context, enum sticky_log_level level, const char *event,
			   const char *detail);

/*
 * For hosts that keep their capabilities lowered: the library calls these before and after each use
 * of bpf(2), in the thread that called the library, sometimes with the group's lock held. Calls
 * nest. Before Linux 5.19 every access to a map needs CAP_BPF if kernel.unprivileged_bpf_disabled
 * is not 0. Since 5.19 only the opening of a group needs it.
 *
 * context   options.privilege_context
 * previous  the value that the raising function returned
 *
 * The raising function makes CAP_BPF effective if it is permitted. Its return value lets the
 * restoring function restore the previous state.
 */
typedef unsigned int sticky_raise_fn(void *context);
typedef void sticky_restore_fn(void *context, unsigned int previous);

/*
 * Prepares a socket of the group for the host: called between socket(2) and bind(2) for each socket
 * that the group binds, those of workers, of held slots and of dispatchers, and short-lived ones
 * that find out whether an address is free. It may set options such as TCP_DEFER_ACCEPT,
 * TCP_FASTOPEN, IP_FREEBIND, IP_TRANSPARENT, SO_BINDTODEVICE or SO_MARK. All sockets of a listener
 * must be prepared alike. It is called in the thread that called the library, with the group's lock
 * held, and must not call the library for the same group.
 *
 * context   options.prepare_context
 * listener  index of the listener
 * fd        the socket; it must not be closed
 *
 * Returns 0, or a negative errno: the socket is closed then, and the function that wanted it
 * returns this error.
 */
typedef int sticky_prepare_fn(void *context, uint32_t listener, int fd);

/*
 * What sticky_group_open() and sticky_group_adopt() are told. `size` and `slots` are required. A
 * member that is zero has its default: initialize the structure with zeros, and set what differs.
 */
struct sticky_group_options {
	size_t size;	/* sizeof(struct sticky_group_options) */
	uint32_t slots; /* 1 to STICKY_SLOTS_LIMIT; required */
	/* length of the accept queue of each listening socket; 0: 4096 */
	uint32_t backlog;
	/* bits of an IPv4 address that belong to the key, 1 to 32; 0: 32 */
	uint32_t v4_prefix;
	/* bits of an IPv6 address that belong to the key, 1 to 128; 0: 64 */
	uint32_t v6_prefix;
	/* STICKY_SEED_SIZE secret bytes, copied; NULL: drawn at random, other ones at each start */
	const uint8_t *seed;
	sticky_log_fn *log;	    /* NULL: nothing is reported */
	void *log_context;	    /* given to `log` */
	uint32_t engine;	    /* enum sticky_engine */
	sticky_raise_fn *raise_bpf; /* both must be set, or neither: see sticky_raise_fn */
	sticky_restore_fn *restore_bpf;
	void *privilege_context;    /* passed to both */
	sticky_prepare_fn *prepare; /* NULL: sockets have the library's options alone */
	void *prepare_context;	    /* passed to it */
};

/*
 * The version of the library in use, "MAJOR.MINOR.PATCH". STICKY_VERSION is the version of this
 * header. The text is in static storage.
 */
const char *sticky_version(void);

/*
 * Open a group: load the program and its maps, with no address and no socket.
 *
 * options    copied
 * ret_group  the new group; sticky_group_close() ends it
 *
 * Returns 0, or
 *   -EINVAL      slots or a prefix out of range, or size too small or with unknown members set
 *   -EPERM       no CAP_BPF, or bpf(2) is refused in another way
 *   -EOPNOTSUPP  the kernel is too old (needs Linux 5.14), or without BPF
 *   -ENOEXEC     the kernel's verifier refuses the program; its last lines are reported to `log` as
 *                events "libbpf" of the level STICKY_LOG_DEBUG
 *   -ENOMEM, -EMFILE, -ENFILE
 * sticky_explain() explains -EPERM, -EOPNOTSUPP and -ENOEXEC of this function.
 *
 * Costs some 20 ms, for two loads of the program and two waits for running programs. One load is
 * for a test: does this kernel wake a sleeping acceptor when a connection is moved to its socket?
 */
int sticky_group_open(const struct sticky_group_options *options, struct sticky_group **ret_group);

/*
 * Explain why sticky_group_open() or sticky_group_adopt() failed, and what to do about it. The
 * function looks at the capabilities, namespaces and filters of this process, and at the kernel. It
 * takes -EPERM for a refusal of bpf(2): where another function returned that, the cause may be
 * another one, such as an option that `prepare` sets. sticky_strerror() names all of them.
 *
 * error     what sticky_group_open() or sticky_group_adopt() returned
 * size      bytes at ret_text; STICKY_EXPLANATION_SIZE always suffices
 * ret_text  a line with the cause, a newline, a line with the remedy
 */
void sticky_explain(int error, size_t size, char *ret_text);

/*
 * Explain an error that a function of this library returned: the cause, a semicolon, and the
 * remedy. sticky_explain() says more about the opening of a group.
 *
 * error  a negative errno; its positive value and 0 are understood, too
 *
 * Returns a text in static storage, on one line.
 */
const char *sticky_strerror(int error);

/*
 * Close a group: its holding sockets, program and maps. Connections that wait in holding sockets
 * are reset. Workers and dispatchers must have been closed before. NULL is allowed.
 */
void sticky_group_close(struct sticky_group *group);

/*
 * Add a listening address. From now on its connections are accepted into the holding sockets. If
 * workers are open, each of them gets a socket for it as well, and has to accept from it.
 * Dispatchers must be opened after all listeners have been added.
 *
 * address  "HOST:PORT"      an IPv4 address or a name (its first address is taken)
 *          "[V6]:PORT"      an IPv6 address, with %zone if need be; IPv6 only
 *          ":PORT"          every address: dual-stack if the machine has IPv6, else 0.0.0.0
 *          PORT 0           a free port: sticky_group_listener_address() tells which
 *
 * Returns the listener's index (0, 1, ... in order of adding), or
 *   -EINVAL         not an address of the form above
 *   -EADDRINUSE     another socket listens there, or it is a listener of the group. Without this
 *                   check a second program of the same uid would join the group unnoticed, and take
 *                   its connections (socket(7), SO_REUSEPORT)
 *   -EADDRNOTAVAIL  no such address on this machine
 *   -EACCES         a port below net.ipv4.ip_unprivileged_port_start without CAP_NET_BIND_SERVICE
 *   -EBUSY          dispatchers are open already
 *   -ESHUTDOWN      the group refuses connections (sticky_group_refuse())
 *   -E2BIG          STICKY_LISTENERS_LIMIT reached
 *   -ENOENT         the name has no address
 *   -ENOMEM, -EMFILE, -ENFILE
 *   others          errors of `prepare`, such as -EPERM for an option that needs a capability
 *
 * Costs one socket for each slot. Needs no CAP_BPF from Linux 5.19 on, as the program is loaded
 * already.
 */
int sticky_group_listen(struct sticky_group *group, const char *address);

/*
 * Add the address of a listening socket that the host has already, for example one of systemd's
 * socket activation. Each slot gets a socket of its own beside it, which `prepare` gives the
 * options that the host's socket has. The host must not accept from its socket any more, and closes
 * it after this call: the kernel then moves the connections in its queue to their slots. No client
 * is refused meanwhile. Connections that come during the call may be placed in any slot.
 *
 * fd  bound to an IPv4 or IPv6 address, listening, created under the effective uid of this process.
 *     It gets SO_REUSEPORT, and remains the caller's
 *
 * With STICKY_ENGINE_USER the socket must be closed before the dispatchers are opened. A socket
 * that another process keeps, as systemd does, can be taken over once more when the group has been
 * closed. As long as the group is open, no other group may take it over.
 *
 * Returns the listener's index, or
 *   -EINVAL        it does not listen
 *   -EBADF, -ENOTSOCK
 *   -EBUSY         it has SO_LOCK_FILTER, as all sockets of groups and those of sticky_listen()
 *                  have: this group would take the connections of that one. Or dispatchers are open
 *                  already
 *   -EAFNOSUPPORT  neither IPv4 nor IPv6
 *   -EOPNOTSUPP    workers share the sockets of their slot (STICKY_ENGINE_CLASSIC): the kernel does
 *                  not move the queue of the host's socket
 *   -EADDRINUSE    the group has a listener of its address and device already; it was created
 *                  under another uid; or it has connections, and neither SO_REUSEADDR (systemd
 *                  sets it) nor SO_REUSEPORT
 *   others         errors of sticky_group_listen()
 */
int sticky_group_listen_socket(struct sticky_group *group, int fd);

/*
 * Open a listening socket that belongs to no group, for example for a port that the host uses
 * itself. It has SO_REUSEADDR, SO_REUSEPORT and SO_LOCK_FILTER, and is close-on-exec.
 *
 * address  as for sticky_group_listen()
 * backlog  length of the accept queue; 0: 4096
 *
 * Returns the descriptor, or an error of sticky_group_listen().
 */
int sticky_listen(const char *address, uint32_t backlog);

/*
 * The number of slots that a group of this engine can have here, at most.
 *
 * engine  enum sticky_engine
 *
 * With STICKY_ENGINE_CLASSIC the table is a part of the program, whose size the kernel limits: by
 * 4,096 instructions, and by net.core.optmem_max. Programs are tried, which costs some
 * milliseconds.
 *
 * Returns the number, -EINVAL (no such engine), -EOPNOTSUPP (this kernel has no
 * SO_ATTACH_REUSEPORT_CBPF) or another -errno.
 */
int sticky_engine_slots_max(uint32_t engine);

/*
 * What is known against an engine on this kernel.
 *
 * engine  enum sticky_engine
 *
 * There is one such case. Kernels without the fix of CVE-2026-52910 free a classic program at once
 * when a group of STICKY_ENGINE_CLASSIC gets another one, and the machine can crash in rare cases.
 * A group gets another program when its number of slots changes, when a slot begins or ends to be
 * left out, and when it begins to refuse connections; not when a slot changes hands.
 *
 * Returns a sentence that never changes, or NULL: nothing is known. Costs one system call.
 */
const char *sticky_engine_caveat(uint32_t engine);

/* What the group can do: bits of enum sticky_ability. They never change. Costs nothing. */
uint32_t sticky_group_abilities(const struct sticky_group *group);

/* The number of listeners that have been added. */
uint32_t sticky_group_listener_count(struct sticky_group *group);

/*
 * Write the address to which a listener is bound, such as "127.0.0.1:3000", "[::]:8080".
 *
 * listener  its index
 * size      bytes at ret_text; STICKY_ADDRESS_TEXT_SIZE always suffices
 *
 * Returns 0, -EINVAL (no such listener) or -ENOSPC.
 */
int sticky_group_listener_address(struct sticky_group *group, uint32_t listener, size_t size,
				  char *ret_text);

/* The number of slots. */
uint32_t sticky_group_slots(struct sticky_group *group);

/*
 * Change the number of slots. As few clients as possible move: N -> N+1 moves the new slot's share
 * of the clients and no others, and N+1 -> N gives exactly those back.
 *
 * slots  1 to STICKY_SLOTS_LIMIT
 *
 * A new slot is held until it has a ready worker. No connection is sent to a removed slot any more.
 * Its worker keeps the connections that it has accepted, and should be closed: the connections in
 * the queues of its sockets then move to the slots that have these clients now.
 *
 * Returns how many of the STICKY_BUCKET_COUNT buckets moved, or -EINVAL, -EMFILE, -ENFILE, -ENOMEM,
 * or another error of bpf(2). After an error the group is as it was. The call waits about 8 ms for
 * running programs. With 1,024 slots the computation of the table takes another tenth of a second.
 */
int sticky_group_set_slots(struct sticky_group *group, uint32_t slots);

/*
 * Mark a slot as away, or as back. While it is away, its clients are distributed evenly over the
 * slots that are not away. Nothing changes before sticky_group_apply(): several changes thus cost
 * one update of the table. If all slots are away, each keeps its clients.
 *
 * If a worker has the slot, it should be closed after sticky_group_apply(). Its queue then moves to
 * the slots that have its clients now. Before a slot is marked as back, its new worker should be
 * ready.
 *
 * Returns 0 or -EINVAL (no such slot).
 */
int sticky_slot_set_away(struct sticky_group *group, uint32_t slot, bool is_away);

/*
 * Does this kernel wake an acceptor that sleeps in accept() or epoll_wait() when a connection is
 * moved to its socket? This was tested when the group was opened. If the kernel does not, or if the
 * test was not possible, the library wakes the acceptor.
 *
 * Returns 1 (it does), 0 (it does not), or -errno (the test was not possible).
 */
int sticky_group_wakes(struct sticky_group *group);

/*
 * Write the table with the changes of sticky_slot_set_away(). Costs about 8 ms, or nothing if there
 * was no change.
 *
 * Returns the number of buckets that moved, or an error of bpf(2).
 */
int sticky_group_apply(struct sticky_group *group);

/*
 * The holding socket of a slot that no worker has. The caller may watch it, and accept connections
 * that have waited for too long. The socket is non-blocking, as its queue may be moved at any time.
 * It belongs to the library, and is closed when a worker becomes ready: take it out of your epoll
 * set before that.
 *
 * Returns the descriptor, -ENOENT (a worker has the slot) or -EINVAL.
 */
int sticky_slot_holding_fd(struct sticky_group *group, uint32_t slot, uint32_t listener);

/* The slot of a client. */
struct sticky_where {
	size_t size;	 /* sizeof(struct sticky_where) */
	uint32_t bucket; /* 0 to STICKY_BUCKET_COUNT - 1 */
	uint32_t slot;
	char key[STICKY_ADDRESS_TEXT_SIZE]; /* e.g. "203.0.113.9/32", "2001:db8::/64" */
};

/*
 * Find the slot to which the kernel sends a client. It is computed by the code of the BPF program.
 *
 * client     an AF_INET or AF_INET6 address; its port does not matter; v4-mapped counts as IPv4
 * ret_where  its `size` must be set
 *
 * Returns 0, -EAFNOSUPPORT (another family) or -EINVAL (size). Costs less than 100 ns, plus the
 * time to write the key as text. Makes no system call, and takes no lock.
 */
int sticky_group_where(struct sticky_group *group, const struct sockaddr *client,
		       struct sticky_where *ret_where);

/*
 * The slot of a client, and nothing else: for the host's hot path. See sticky_group_where().
 *
 * Returns the slot or -EAFNOSUPPORT. Costs some 15 ns. Makes no system call, takes no lock, and
 * never waits for another thread, whether it looks a client up or changes the group.
 */
int sticky_group_slot_of(struct sticky_group *group, const struct sockaddr *client);

/*
 * The whole table: to which slot the clients of each bucket go now.
 *
 * ret_slots  STICKY_BUCKET_COUNT elements
 *
 * Costs a copy of 128 KiB, and another one if the table changes meanwhile. Makes no system call,
 * and takes no lock.
 */
void sticky_group_table(struct sticky_group *group, uint16_t *ret_slots);

/*
 * Read an IP address without a port: "203.0.113.9", "2001:db8::1", "[2001:db8::1]",
 * "fe80::1%eth0". Names are not looked up.
 *
 * Returns 0 or -EINVAL. The port of ret_address is 0.
 */
int sticky_address_parse(const char *text, struct sockaddr_storage *ret_address);

/*
 * A number that tells seeds apart without revealing them: the keyed hash of an empty text. If two
 * groups have the same id, they almost certainly have the same seed.
 */
uint32_t sticky_group_seed_id(struct sticky_group *group);

/*
 * Call this when a process that had sockets of the slot has ended: the kernel has then moved the
 * connections in their queues. On a kernel that does not wake an acceptor for moved connections
 * (sticky_group_wakes()), the slot's worker is woken if connections wait in its queue. On other
 * kernels this does nothing.
 */
void sticky_slot_wake(struct sticky_group *group, uint32_t slot);

/*
 * For hosts with an event loop: a descriptor to poll for reading. When it is readable, call
 * sticky_group_run().
 *
 * When a slot changes hands, the sockets of its previous owner are closed a few milliseconds later.
 * If they were closed at once, a handshake whose last packet is being handled on another processor
 * would be reset (inet_csk_complete_hashdance() in the kernel, seen up to Linux 6.18). As long as
 * this function has not been called, the functions by which a slot changes hands wait for those
 * milliseconds themselves. Afterwards they return at once, and sticky_group_run() closes the
 * sockets.
 *
 * Returns the descriptor, which belongs to the group, or -EMFILE, -ENFILE, -ENOMEM.
 */
int sticky_group_fd(struct sticky_group *group);

/* Close the sockets that are due, and do other work that was deferred. Never blocks. */
void sticky_group_run(struct sticky_group *group);

/* What the program has counted since the group was opened, for all listeners together. */
struct sticky_counters {
	size_t size; /* sizeof(struct sticky_counters) */
	/* placements of new connections in their own slot; a SYN-cookie ACK counts again */
	uint64_t steered;
	uint64_t migrated;   /* connections moved out of a socket that was closed */
	uint64_t empty_slot; /* placed in another slot, as their own slot had no socket */
	uint64_t dropped;    /* refused: the sum of the next three */
	uint64_t dropped_empty;
	uint64_t dropped_no_table;
	uint64_t dropped_unreadable;
	uint64_t dispatched; /* placed with a dispatcher, which looks at them */
};

/*
 * Read the counters.
 *
 * ret_counters  its `size` must be set
 *
 * Returns 0, -EINVAL (size), or an error of bpf(2). Costs one system call, and copies 8 KiB for
 * each possible CPU.
 */
int sticky_group_counters(struct sticky_group *group, struct sticky_counters *ret_counters);

/*
 * Read the counters, and the placements of each slot, for the host's own metrics. The kernel counts
 * in any case: nothing is added to the path of a connection.
 *
 * ret_counters  its `size` must be set
 * count         slots wanted, from slot 0 on, 0 to STICKY_SLOTS_LIMIT
 * ret_steered   count elements: placements in each slot, see struct sticky_counters; NULL if count
 *               is 0
 *
 * Returns 0, -EINVAL (count or size), or an error of bpf(2). Costs what sticky_group_counters()
 * costs, and looks at no socket.
 */
int sticky_group_statistics(struct sticky_group *group, struct sticky_counters *ret_counters,
			    uint32_t count, uint64_t *ret_steered);

/* One slot at this moment. */
struct sticky_slot_info {
	size_t size;	     /* sizeof(struct sticky_slot_info) */
	uint64_t generation; /* of the worker that was opened last; 0: none yet */
	bool holding;	     /* no worker is ready: connections wait in the holding socket */
	uint32_t buckets;    /* number of buckets in the table: the slot's share of the clients */
	uint32_t queue;	     /* connections waiting to be accepted, all listeners together */
	/* SYNs dropped because a queue was full, for all workers of the slot so far */
	uint64_t overflows;
	uint64_t steered; /* placements, see struct sticky_counters */
};

/*
 * Does the program still place this group's connections? It stops to do so if a process that has a
 * socket of the group detaches it (SO_DETACH_REUSEPORT_BPF), or if a foreign socket of the same uid
 * attaches a program of its own. This function then attaches it again. The program is also attached
 * again whenever a slot changes hands. A host calls this function every few seconds to notice the
 * loss in between.
 *
 * The function connects to each listener, from an address and port that the program refuses at that
 * moment. No worker sees the connection, except where the program is not attached any more: then
 * workers may accept a few connections that are reset.
 *
 * Returns 0 (the program places connections, or the group does not use it); a number: the program
 * was attached again for so many listeners; or, if it was attached again for none, the first error:
 *   -EAGAIN        no reply within 20 ms: a busy machine, or a packet filter
 *   -ECONNREFUSED  something else than the program refused the connection: a packet filter, or the
 *                  listener has a network device, and no address of the machine leads there
 *   -EADDRINUSE    a foreign socket of the same uid, at a more specific address than the listener,
 *                  accepted the connection. Nothing was lost, unless this comes again and again:
 *                  then it is not known
 *   others         errors of socket(2), bind(2), connect(2), and of sticky_worker_open()
 * All listeners are checked, also after an error. A listener whose address the machine does not
 * have (IP_FREEBIND) gets no connections, and is left out.
 *
 * Costs about ten system calls for each listener, and eight times as many with
 * STICKY_ENGINE_CLASSIC.
 */
int sticky_group_check(struct sticky_group *group);

/*
 * Replace the sockets that do not listen any more, where the workers of a slot share them (without
 * STICKY_CAN_MOVE_QUEUES): a worker has called shutdown(2) on one. Until then clients of other
 * slots, too, may come to wrong workers, as the kernel has changed the order of the group's
 * sockets. sticky_worker_open() does the same.
 *
 * Workers that are open keep the sockets that they have. Returns the number of sockets that were
 * replaced, or -errno.
 */
int sticky_group_repair(struct sticky_group *group);

/*
 * Read the state of all slots.
 *
 * count      slots wanted, from slot 0 on; at most the number of slots
 * ret_infos  count elements; the `size` of the first must be set, and is that of all
 *
 * Returns 0, -EINVAL (count or size), or an error of bpf(2). Costs the reading of the counters, and
 * two system calls for each socket.
 */
int sticky_group_slot_infos(struct sticky_group *group, uint32_t count,
			    struct sticky_slot_info *ret_infos);

/*
 * Open a worker for a slot. It gets new listening sockets, which are bound and listen. They are in
 * the kernel's group, but in no map. No connection is sent to them before sticky_worker_ready().
 *
 * slot        0 to slots - 1
 * ret_worker  the new worker; sticky_worker_close() ends it
 *
 * A slot may have several workers at a time. The one that became ready last has the slot. The
 * others are starting, or serve their last connections.
 *
 * Returns 0, or
 *   -EINVAL      no such slot
 *   -EADDRINUSE  the effective uid is not the one that made the first socket
 *   -EACCES, -ENOMEM, -EMFILE, -ENFILE
 *   others       errors of `prepare`, such as -EPERM for an option that needs a capability
 *
 * Costs four system calls for each listener.
 */
int sticky_worker_open(struct sticky_group *group, uint32_t slot,
		       struct sticky_worker **ret_worker);

/* The worker's slot. */
uint32_t sticky_worker_slot(const struct sticky_worker *worker);

/* The worker's generation: the workers of a slot are counted from 1. */
uint64_t sticky_worker_generation(const struct sticky_worker *worker);

/*
 * The worker's own listening socket for a listener. Accept from it, or pass it to a process that
 * you start. It is blocking (set O_NONBLOCK if you poll) and close-on-exec. It has SO_LOCK_FILTER,
 * so that the process can't replace the program.
 *
 * The descriptor belongs to the library, and is closed by sticky_worker_close(). Take it out of
 * your epoll set before that.
 *
 * Returns the descriptor, or -EINVAL: no such listener, or the worker does not serve it
 * (sticky_worker_serve()).
 */
int sticky_worker_fd(const struct sticky_worker *worker, uint32_t listener);

/*
 * The number of connections that wait to be accepted from a worker's own sockets, for all listeners
 * together. Costs a system call for each listener.
 */
uint32_t sticky_worker_queue(const struct sticky_worker *worker);

/*
 * The worker is ready: the slot changes hands. After one atomic update of the map for each
 * listener, new connections go to this worker. Then the holding socket, if the slot had one, is
 * closed, and the kernel moves the connections in its queue here, in order.
 *
 * A worker that had the slot before keeps the connections in its queue until it is closed; then the
 * kernel moves these here, too. Close it soon, as connections wait in the queue of a previous
 * worker that does not accept any more.
 *
 * No client is sent to a slot that sticky_group_set_slots() has removed, whether its worker is
 * ready or not. If the slot is added again, it is held: the worker then becomes ready once more.
 *
 * Returns 0 (also if it has the slot already, or if the slot was removed), or
 *   -EINVAL     one of its sockets does not listen any more (shutdown(2) on a listening socket
 *               ends it for good); the slot stays as it was
 *   -ESHUTDOWN  the group refuses connections (sticky_group_refuse())
 *   others      errors of BPF_MAP_UPDATE_ELEM of bpf(2)
 *
 * Costs one system call for each listener, and some microseconds for each connection that is moved.
 * Waits for 5 ms if a holding socket is closed, unless sticky_group_fd() was called.
 */
int sticky_worker_ready(struct sticky_worker *worker);

/*
 * Say whether the worker serves a listener. It serves all of them until it says otherwise. Where it
 * does not, it has no socket there: while it has the slot, clients of the slot who connect to this
 * listener are sent to other slots, of which up to 8 are tried. If none of those serves it either,
 * the client is refused. The worker's listening socket is closed, and what is queued there moves.
 * With `serves` the worker gets a new socket, and its clients back.
 *
 * A worker that sticky_worker_ready() makes the owner of a slot takes over the queues of the
 * listeners that it serves; the others move to other slots.
 *
 * Returns 0 (also where nothing changes), -EINVAL (no such listener), -ESHUTDOWN (the group refuses
 * connections), or another -errno, and nothing has changed.
 */
int sticky_worker_serve(struct sticky_worker *worker, uint32_t listener, int serves);

/*
 * Leave the slot, but still accept connections. If the worker has the slot, a new holding socket
 * gets it. From now on no connection begins on the worker's own sockets. Handshakes that have begun
 * there also end there: accept them until they are over, and close the worker then. A worker whose
 * slot has been given to another worker has left it already.
 *
 * Returns 0, or a negative errno that tells why no holding socket could be made (-EMFILE, -ENFILE,
 * -ENOMEM): the worker's own sockets then hold the slot, and sticky_worker_fd() has none any more.
 *
 * Costs four system calls for each listener.
 */
int sticky_worker_leave(struct sticky_worker *worker);

/*
 * Close a worker. If it has the slot, a new holding socket gets the slot first. Then the worker's
 * sockets are closed. The connections in their queues are moved to the slot's present socket when
 * the last descriptor of each socket is closed: for a thread that is at once, else when the last
 * process that inherited it ends. NULL is allowed.
 *
 * Returns 0, or a negative errno that tells why no holding socket could be made (-EMFILE, -ENFILE,
 * -ENOMEM). The worker's own sockets then stay open and hold the slot, and no connection is lost.
 * The worker is freed in any case.
 */
int sticky_worker_close(struct sticky_worker *worker);

/*
 * Refuse new connections from now on, before the host stops. Every slot is emptied, and the kernel
 * answers with RST. Connections that are queued already stay with the workers, to be served. This
 * can't be undone.
 *
 * Returns 0, or an error of bpf(2).
 */
int sticky_group_refuse(struct sticky_group *group);

/* ---- Behind a proxy ------------------------------------------------------------------
 *
 * All connections of a proxy come from the proxy's address. The client's address is in the bytes
 * that the proxy sends first. Such connections go to *dispatchers*. These are listening sockets
 * from which the host accepts. It finds out the client's address, and passes the connection to the
 * worker of that client's slot (sticky_group_where()). The kernel steers all other connections by
 * the address that they come from.
 *
 * With STICKY_ENGINE_USER all connections go to the dispatchers.
 */

/* A range of addresses. */
struct sticky_prefix {
	uint8_t address[16]; /* IPv6; IPv4 as ::ffff:a.b.c.d; bits beyond `bits` are 0 */
	uint8_t bits;	     /* 0 to 128; for IPv4 the usual number plus 96 */
};

#define STICKY_DISPATCHERS_LIMIT 16    /* dispatchers of a group, at most */
#define STICKY_PROXIES_LIMIT	 16384 /* ranges of proxies, at most */

/*
 * Set the ranges whose connections go to the dispatchers. May be called again at any time. While
 * the list is replaced, a range that is in only one of the two lists may or may not apply.
 *
 * may_go_direct  what happens while there is no dispatcher, as their process has died: a proxy's
 *                connection goes to the slot of the proxy's own address (true), or is refused
 *
 * Returns 0, -E2BIG, -EINVAL (bits), -EOPNOTSUPP (without STICKY_CAN_DISPATCH, unless count is 0),
 * -ENOMEM, or an error of bpf(2). Costs a system call for each range.
 */
int sticky_group_set_proxies(struct sticky_group *group, const struct sticky_prefix *proxies,
			     size_t count, bool may_go_direct);

/*
 * Also send some of the other connections to the dispatchers, so that the host can see whether a
 * proxy is missing in the list. The host must pass them on according to the address that they come
 * from.
 *
 * one_in  2, 4, 8 or another power of two: one connection in so many; 0: none
 *
 * Returns 0, -EINVAL, -EOPNOTSUPP (without STICKY_CAN_DISPATCH, unless one_in is 0), or an error of
 * bpf(2).
 */
int sticky_group_set_sample(struct sticky_group *group, uint32_t one_in);

/*
 * Open the dispatchers' sockets, one for each listener and dispatcher. They are non-blocking, and
 * the kernel spreads connections over them.
 *
 * count  1 to STICKY_DISPATCHERS_LIMIT
 *
 * All listeners must have been added before.
 *
 * Returns 0, -EINVAL, -EBUSY (they are open already), -EDESTADDRREQ (there is no listener),
 * -ESHUTDOWN (the group refuses connections), -EADDRINUSE (STICKY_ENGINE_USER: another socket
 * listens there), -EOPNOTSUPP (without STICKY_CAN_DISPATCH), -EMFILE, or another -errno.
 */
int sticky_dispatchers_open(struct sticky_group *group, uint32_t count,
			    struct sticky_dispatchers **ret_dispatchers);

/*
 * Returns a dispatcher's socket for a listener, which belongs to the library, or -EINVAL: there is
 * none.
 */
int sticky_dispatchers_fd(const struct sticky_dispatchers *dispatchers, uint32_t dispatcher,
			  uint32_t listener);

/*
 * Close the dispatchers' sockets. Accept the connections in their queues first, as it is not
 * certain that another socket gets them. NULL is allowed.
 */
void sticky_dispatchers_close(struct sticky_dispatchers *dispatchers);

/* ---- A process as the worker ---------------------------------------------------------
 *
 * For programs that `stickyctl start` runs, and that serve clients behind a proxy, or run without
 * CAP_BPF. Connections come from listening sockets, or are passed by the controller: one function
 * accepts both kinds.
 *
 *     struct sticky_process *process;
 *     sticky_process_open(&process);
 *     // set up what the program needs, then:
 *     sticky_process_ready(process);
 *     for (;;) {
 *         struct pollfd polled = {sticky_process_fd(process), POLLIN, 0};
 *         struct sockaddr_storage client;
 *         poll(&polled, 1, -1);
 *         int fd = sticky_process_accept(process, &client, SOCK_CLOEXEC);
 *         if (fd >= 0)
 *             serve(fd, &client);
 *     }
 *
 * At SIGTERM: sticky_process_stopping(), finish what is open, exit. A process is used by one
 * thread at a time.
 */

struct sticky_process;

/*
 * Take over the descriptors that the environment names: LISTEN_FDS with LISTEN_PID
 * (sd_listen_fds(3)), STICKY_CHANNEL; NOTIFY_SOCKET is used later. The listening sockets become
 * non-blocking, and all descriptors close-on-exec. The variables stay. Call this once.
 *
 * Returns 0, -ENOENT (the environment names no descriptor: the program was not started by a
 * controller), -EBADF (a descriptor that is named is not open), -EPROTO (the controller is of
 * another version), -EMFILE, -ENOMEM.
 */
int sticky_process_open(struct sticky_process **ret_process);

/*
 * A descriptor that is readable (level-triggered) while there is a connection to accept. It belongs
 * to the library.
 */
int sticky_process_fd(const struct sticky_process *process);

/*
 * Accept a connection. The listening sockets and the controller take turns.
 *
 * ret_client  the client's address: the one that a trusted proxy named, else the peer's; may be
 *             NULL
 * flags       those of accept4(2)
 *
 * Take the descriptor out of an epoll set before you close it (EPOLL_CTL_DEL), as most event
 * libraries do. For a moment after this call the controller still has a duplicate, and until that
 * is closed epoll(7) would report a descriptor that you have closed.
 *
 * Returns the descriptor, which is the caller's; -EAGAIN (there is no connection), -ESHUTDOWN
 * (after sticky_process_stopping()), -EMFILE, -ENFILE, -ENOMEM.
 */
int sticky_process_accept(struct sticky_process *process, struct sockaddr_storage *ret_client,
			  int flags);

/*
 * Announce that the process is ready to serve: READY=1. Returns 0, also if there is no
 * NOTIFY_SOCKET, or -errno.
 */
int sticky_process_ready(struct sticky_process *process);

/*
 * Stop accepting, and announce it: STOPPING=1. The listening sockets are closed, so that the
 * connections in their queues move to other workers. Passed connections that were not accepted are
 * given back to the controller. Returns 0 or -errno.
 */
int sticky_process_stopping(struct sticky_process *process);

/* The slot of this process; 0 if the environment names none. */
uint32_t sticky_process_slot(const struct sticky_process *process);

/* The generation of this process, from 1 on; 0 if the environment names none. */
uint64_t sticky_process_generation(const struct sticky_process *process);

/* Close the process object. Connections that were accepted remain the caller's. NULL is allowed. */
void sticky_process_close(struct sticky_process *process);

/* ---- Export and import: another process goes on where this one ends ------------------
 *
 * The maps, the program and the sockets of a group's workers are in the kernel. They go on
 * working when the process that opened the group dies, or replaces itself by a newer version.
 * Another process can take the group over if the maps were pinned. It gets the sockets from the
 * workers (pidfd_getfd(2)), or inherits them over execve(2).
 *
 *     sticky_group_adopt(&options, directory, &group);
 *     // for each listener, in their order:
 *     sticky_group_adopt_listener(group, fd);
 *     // for each live worker:
 *     sticky_worker_adopt(group, slot, generation, fds, &worker);
 *     sticky_group_finish_adoption(group);
 *
 * Connections that waited in the previous process's holding sockets ended with it, unless it
 * handed these sockets over too.
 */

/*
 * Export: pin the group's maps, which also serve listeners that are added later. The pins stay when
 * the process dies. sticky_group_close() removes them.
 *
 * directory  an existing one on a BPF file system (/sys/fs/bpf/...), writable by no other user: a
 *            process that can open the maps can change where clients go. One for each group: the
 *            pins of a process that has died without sticky_group_close() are still there. Import
 *            them, or remove the files
 *
 * Returns 0, or
 *   -EEXIST      pins are there already, perhaps of another group
 *   -EBUSY       the group is pinned already: by this function, or by the one that it was imported
 *                from
 *   -EPERM       not a BPF file system, or no CAP_BPF
 *   -EOPNOTSUPP  without STICKY_CAN_SURVIVE
 *   others       errors of bpf(2)
 * and no pin has been added.
 */
int sticky_group_pin(struct sticky_group *group, const char *directory);

/*
 * Import: open a group on the maps that another process pinned. Seed, prefixes and the number of
 * slots are read from the maps; of the options only the backlog, the log and the functions that
 * raise CAP_BPF are used.
 *
 * Until sticky_group_finish_adoption() has succeeded, sticky_group_close() leaves the pins as they
 * are, for another try.
 *
 * Returns 0, -ENOENT (nothing is pinned there), -EPROTO (the maps are of an incompatible version),
 * or an error of sticky_group_open().
 */
int sticky_group_adopt(const struct sticky_group_options *options, const char *directory,
		       struct sticky_group **ret_group);

/*
 * Import the next listener, in the order in which the previous process added them.
 *
 * fd  any listening socket of this listener; it is only read. -1: no worker has one any more. The
 *     listener keeps its index then, and has neither sockets nor an address.
 *
 * Returns its index, -ENOENT (there is no such listener), -EBADF (-1 in a group that is not being
 * adopted), or another -errno; after an error the group is as it was.
 */
int sticky_group_adopt_listener(struct sticky_group *group, int fd);

/*
 * Import a worker.
 *
 * generation  of this worker
 * fds         its listening sockets, one for each listener, in the order of the listeners; they are
 *             duplicated, and remain the caller's. -1: the worker does not serve the listener, see
 *             sticky_worker_serve()
 *
 * The worker has the slot if its sockets are in the kernel's map. Otherwise it is like a worker
 * that sticky_worker_open() has just opened.
 *
 * Returns 1 (it has the slot), 0 (it does not), or
 *   -EINVAL         no such slot, or a descriptor that is not open
 *   -ENOTSOCK       a descriptor that is not a socket
 *   -EAFNOSUPPORT   a socket of another family than the listener
 *   -EADDRNOTAVAIL  a socket that is bound to another address, port or device than the listener, or
 *                   to none: clients of the slot would go there
 *   -EBUSY          the worker that has the slot has the same socket
 *   -EMFILE, -ENOMEM
 * A socket that does not listen any more is found by sticky_worker_ready().
 */
int sticky_worker_adopt(struct sticky_group *group, uint32_t slot, uint64_t generation,
			const int *fds, struct sticky_worker **ret_worker);

/*
 * Import the generation of a slot's last worker. New workers of the slot are counted from there.
 *
 * generation  of the last worker
 *
 * Returns 0 or -EINVAL.
 */
int sticky_slot_adopt(struct sticky_group *group, uint32_t slot, uint64_t generation);

/*
 * Finish the import. Slots that no imported worker has are held. This process's program takes the
 * place of the previous one, on the same maps. No connection is lost by that.
 *
 * Returns 0 or -errno.
 */
int sticky_group_finish_adoption(struct sticky_group *group);

#ifdef __cplusplus
}
#endif

#endif
