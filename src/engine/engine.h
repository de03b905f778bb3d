/* SPDX-License-Identifier: MIT */
/*
 * An engine sends a listener's connections to their slots. All engines use the same hash and the
 * same table; they differ in how a connection gets to its slot, and in what they can do. The other
 * modules use listeners, slots and sockets. They ask what an engine can do (enum sticky_ability),
 * and never which one it is.
 *
 *   engine_kernel.c   a BPF program and its maps; bpf_*.c are its parts
 *   engine_classic.c  a classic BPF program, for any user; classic_*.c and socket_order.c
 *   engine_user.c     no program: dispatchers in the host accept every connection
 */
#ifndef STICKY_ENGINE_ENGINE_H
#define STICKY_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bpf/abi.h"
#include "engine/bpf_access.h"
#include "engine/listener.h"
#include "engine/log.h"
#include "engine/table_state.h"
#include "sticky.h"

struct engine;

/*
 * The operations of an engine. Each one implements the function engine_...() of its name below;
 * install() is a part of engine_set_table(), write_settings() of the functions that change
 * settings. If a member is NULL, the engine has nothing to do there: 0 is returned, unless
 * engine_...() says otherwise.
 */
struct engine_ops {
	uint32_t abilities; /* bits of enum sticky_ability */
	void (*close)(struct engine *engine);
	int (*install)(struct engine *engine, const struct sticky_table *table, uint32_t slots,
		       uint32_t moved);
	int (*write_settings)(struct engine *engine);
	int (*add_listener)(struct engine *engine, int first_socket);
	int (*finish_listener)(struct engine *engine, uint32_t listener,
			       const struct listener *address);
	void (*remove_last_listener)(struct engine *engine);
	int (*attach)(struct engine *engine, int socket);
	int (*restore)(struct engine *engine, uint32_t listener, const struct listener *address);
	int (*put)(struct engine *engine, uint32_t listener, uint32_t slot, int socket);
	int (*empty)(struct engine *engine, uint32_t listener, uint32_t slot);
	int (*lose)(struct engine *engine, uint32_t listener, uint32_t slot);
	int (*commit)(struct engine *engine, uint32_t listener);
	int (*cookie)(const struct engine *engine, uint32_t listener, uint32_t slot,
		      uint64_t *ret_cookie);
	int (*set_proxies)(struct engine *engine, const struct sticky_prefix *proxies,
			   size_t count);
	int (*set_check)(struct engine *engine, const struct sockaddr *source);
	int (*check_source)(struct engine *engine, uint32_t listener, uint32_t number,
			    struct sockaddr_storage *source);
	int (*judge_check)(struct engine *engine, uint32_t listener, bool was_refused);
	int (*count)(struct engine *engine, struct sticky_cpu_counters *ret_sum);
	int (*watch)(struct engine *engine, int epoll);
	void (*run)(struct engine *engine);
	int (*pin)(struct engine *engine, const char *directory);
	void (*leave_pins)(struct engine *engine);
	int (*adopt_listener)(struct engine *engine, int socket);
};

/* The common part of an engine: the first member of each engine's structure. */
struct engine {
	const struct engine_ops *ops;
	struct sticky_settings settings; /* those in force */
	uint32_t listener_count;
	struct table_state table; /* its `present` table is the one in force */
};

/* ---- Opening and closing -------------------------------------------------------------- */

/*
 * Open the engine that uses a BPF program, without a listener.
 *
 * settings  copied; the table of its `slots` slots is computed here
 * access    copied
 * log       gets libbpf's messages while the program is loaded
 *
 * Returns 0, or what program_load() returns.
 */
int engine_open_kernel(const struct sticky_settings *settings, const struct bpf_access *access,
		       const struct log *log, struct engine **ret_engine);

/*
 * Open the engine that uses a classic BPF program, without a listener. Needs no privilege.
 *
 * settings  copied
 *
 * Returns 0, -E2BIG (the program for so many slots is larger than this machine allows: see
 * engine_classic_slots_max()), -EOPNOTSUPP (this kernel has no SO_ATTACH_REUSEPORT_CBPF), -ENOMEM,
 * or an error of socket(2).
 */
int engine_open_classic(const struct sticky_settings *settings, struct engine **ret_engine);

/*
 * Returns the largest number of slots for which this machine takes a classic program, or -errno.
 * Tries a dozen programs on a socket that is closed again; costs some milliseconds.
 */
int engine_classic_slots_max(void);

/*
 * Open the engine that does without the kernel: there is a table, but no program, and slots have no
 * sockets. Returns 0 or -ENOMEM.
 */
int engine_open_user(const struct sticky_settings *settings, struct engine **ret_engine);

/*
 * Open the engine of a BPF program on the maps that another process has pinned and left. The table
 * in them is assumed to be that of all slots, none of them away; the next engine_set_table() writes
 * it in any case.
 *
 * Returns 0, -ENOENT (nothing is pinned there), -EPROTO (the pins are of another version), or an
 * error of engine_open_kernel().
 */
int engine_adopt(const char *directory, const struct bpf_access *access, const struct log *log,
		 struct engine **ret_engine);

/* Close an engine. The caller closes the sockets. NULL is allowed. */
void engine_close(struct engine *engine);

/* Returns true if the engine has all of these abilities, bits of enum sticky_ability. */
static inline bool engine_can(const struct engine *engine, uint32_t abilities)
{
	return (engine->ops->abilities & abilities) == abilities;
}

/*
 * Pin the maps, so that they outlive this process. engine_close() removes the pins.
 *
 * directory  an existing one on a BPF file system, writable by no other user
 *
 * Returns 0, -EOPNOTSUPP (without STICKY_CAN_SURVIVE) or another -errno.
 */
int engine_pin(struct engine *engine, const char *directory);

/* Leave the pins to another process: engine_close() does not remove them any more. */
void engine_leave_pins(struct engine *engine);

/*
 * Take over the next listener of the previous process, in the order in which it added them.
 *
 * socket  bound to the listener's address; -1: there is none, and the listener gets no sockets
 *
 * Returns the listener's index, or -ENOENT (the maps don't have this address), -EPROTO (the
 * listener is not the next one), -E2BIG, -EOPNOTSUPP (without STICKY_CAN_SURVIVE) or another
 * -errno.
 */
int engine_adopt_listener(struct engine *engine, int socket);

/* ---- Listeners ------------------------------------------------------------------------- */

/*
 * Add a listener. Its first socket gets the program, and sockets that join its group later inherit
 * it: attaching it to each of them before its listen() would fail.
 *
 * first_socket  bound to an explicit port, not to port 0 (see listener_bind_first()), and not
 *               listening yet
 *
 * Needs no privilege from Linux 5.19 on, as the program is loaded already.
 *
 * Returns the listener's index, or -errno.
 */
int engine_add_listener(struct engine *engine, int first_socket);

/*
 * Begin to steer a new listener, after all slots have put their sockets of it. Until then
 * connections may go to any slot.
 *
 * address  of the listener, for sockets of the engine's own
 *
 * Returns 0 or -errno.
 */
int engine_finish_listener(struct engine *engine, uint32_t listener,
			   const struct listener *address);

/* Remove the listener that was added last. Its sockets must have been closed. */
void engine_remove_last_listener(struct engine *engine);

/*
 * Attach the program once more, as another process may have detached it. Returns 0 or -errno.
 *
 * socket  one of a listener, after its listen() and before SO_LOCK_FILTER
 */
int engine_attach(struct engine *engine, int socket);

/*
 * Attach the program to a listener once more. The program applies to the whole group of sockets at
 * once. Returns 0 or -errno.
 */
int engine_restore(struct engine *engine, uint32_t listener, const struct listener *address);

/* ---- Slots ----------------------------------------------------------------------------- */

/*
 * Make a socket the slot's present one.
 *
 * slot  a slot, or STICKY_SLOTS_MAX + a dispatcher
 *
 * With STICKY_CAN_MOVE_QUEUES the change is atomic and takes effect at once: no connection finds
 * the slot empty, and the previous socket still listens afterwards. Otherwise the socket must be
 * the one that joined the listener's group last, or one that was put before. The change then takes
 * effect by engine_commit().
 *
 * Returns 0, -EINVAL (not listening, or not of this listener's group), -EBUSY (the socket is in the
 * map already), or another -errno.
 */
int engine_put(struct engine *engine, uint32_t listener, uint32_t slot, int socket);

/*
 * Send no connection of a listener to a slot any more. Without STICKY_CAN_MOVE_QUEUES this takes
 * effect by engine_commit(). Returns 0 (also if the slot was empty) or -errno.
 */
int engine_empty(struct engine *engine, uint32_t listener, uint32_t slot);

/*
 * Forget the socket that a slot put last, as it does not listen any more: the kernel has taken it
 * out of the group. Returns 0 or -errno.
 */
int engine_lose(struct engine *engine, uint32_t listener, uint32_t slot);

/* Put in force what engine_put() and engine_empty() changed. Returns 0 or -errno. */
int engine_commit(struct engine *engine, uint32_t listener);

/*
 * Read the cookie (SO_COOKIE) of the slot's present socket. Returns 0, -ENOENT (the slot is empty)
 * or -EOPNOTSUPP (without STICKY_CAN_SURVIVE).
 */
int engine_cookie(const struct engine *engine, uint32_t listener, uint32_t slot,
		  uint64_t *ret_cookie);

/* ---- Table and settings ----------------------------------------------------------------- */

/*
 * Change the number of slots, and which of them are away. The whole table is computed and replaced.
 * When this returns, no new connection is placed by the previous table any more. With a BPF program
 * that takes about 8 ms.
 *
 * is_away  `slots` elements
 *
 * Returns the number of buckets that moved, or -errno: the previous table stays. -E2BIG: the
 * classic program would become too large.
 */
int engine_set_table(struct engine *engine, uint32_t slots, const bool *is_away);

/* Set the ranges whose connections go to dispatchers: see sticky_group_set_proxies(). */
int engine_set_proxies(struct engine *engine, const struct sticky_prefix *proxies, size_t count,
		       bool may_go_direct);

/* Set the number of dispatchers. Their sockets are in the entries from STICKY_SLOTS_MAX on. */
int engine_set_dispatchers(struct engine *engine, uint32_t count);

/*
 * Also send some of the other connections to dispatchers: one in `one_in`, which is a power of two,
 * or 0 for none.
 */
int engine_set_sample(struct engine *engine, uint32_t one_in);

/* Sum the counters over the CPUs; zero without STICKY_CAN_COUNT. Returns 0 or -errno. */
int engine_count(struct engine *engine, struct sticky_cpu_counters *ret_sum);

/* Returns the slot of a bucket in the table that is in force. */
uint32_t engine_slot_of(const struct engine *engine, uint32_t bucket);

/* Returns the number of buckets that a slot has in the table that is in force. */
uint32_t engine_count_buckets(const struct engine *engine, uint32_t slot);

/* Returns the settings that are in force. */
const struct sticky_settings *engine_settings(const struct engine *engine);

/* ---- The test connection of check.c ----------------------------------------------------- */

/*
 * Choose the port from which a test connection to a listener must come. One test connection does
 * not always tell whether the program is attached: a check makes one from each source.
 *
 * number  of the source: 0 and, while this function returns 1, the next numbers
 * source  an address of reach_find(), without a port; the port is filled in. It stays 0 if the test
 *         connection may come from any port, which the caller gives to engine_set_check().
 *
 * Returns 1 (there is another source), 0 (this is the last one) or -errno.
 */
int engine_check_source(struct engine *engine, uint32_t listener, uint32_t number,
			struct sockaddr_storage *source);

/*
 * Expect the test connection from this address and port.
 *
 * source  AF_INET or AF_INET6; NULL: none any more
 */
int engine_set_check(struct engine *engine, const struct sockaddr *source);

/*
 * Judge whether the program placed the test connection, after the answer to it. Returns 0 (it did),
 * 1 (it did not: it is not attached any more, or the connection came to another listening socket),
 * -ECONNREFUSED (the connection was refused, but not by the program), or another -errno.
 *
 * was_refused  the connection was refused; false: it was accepted
 */
int engine_judge_check(struct engine *engine, uint32_t listener, bool was_refused);

/* ---- For a host with a loop --------------------------------------------------------------- */

/*
 * Add the engine's own sockets to an epoll instance, those of later listeners too. When one is
 * readable, engine_run() has work to do. Returns 0 or -errno.
 */
int engine_watch(struct engine *engine, int epoll);

/* Do the work of the engine's own sockets. Never blocks. */
void engine_run(struct engine *engine);

/* ---- For the engines ---------------------------------------------------------------------- */

/* Compute the first table, of settings.slots slots. Returns 0 or -ENOMEM. */
int engine_begin_table(struct engine *engine);

#endif
