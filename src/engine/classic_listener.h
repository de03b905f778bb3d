/* SPDX-License-Identifier: MIT */
/* A listener of the classic engine: the order of its sockets, and its spare socket. */
#ifndef STICKY_ENGINE_CLASSIC_LISTENER_H
#define STICKY_ENGINE_CLASSIC_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/classic_attach.h"
#include "engine/listener.h"
#include "engine/socket_order.h"

struct classic_listener {
	struct socket_order order;
	uint64_t cookie[STICKY_SLOTS_LIMIT]; /* of the socket that each slot put; 0: none */
	bool serves[STICKY_SLOTS_LIMIT];     /* whether connections are to go to the slot */
	int spare;			     /* the spare socket, in the group; -1: not open */
	uint64_t spare_cookie;
	/* bound to the ports of `check`, so that no other socket gets them; -1: none */
	int reserved[CLASSIC_CHECK_PORTS];
	struct classic_check check; /* addresses and ports of test connections */
	/*
	 * Connections other than the test connection have arrived at the spare socket, although the
	 * program sends none there: the program is not attached any more. The test connection alone
	 * does not show this: without a program, the kernel's hash may give it the spare socket,
	 * too.
	 */
	bool has_strays;
	/* the last program that was attached by classic_listener_attach(); NULL: none */
	struct classic_program *attached;
	bool was_checked; /* the test connection has arrived at the spare socket */
};

/*
 * Initialise a listener by the first socket of its group. A program is attached that sends every
 * connection to this socket. It stays until classic_listener_open_spare() and
 * classic_listener_attach() are called.
 *
 * first_socket  bound, not listening
 *
 * Returns 0, or an error of classic_attach().
 */
int classic_listener_init(struct classic_listener *listener, int first_socket);

/* Close the listener's own sockets, and free its program. May be called twice. */
void classic_listener_fini(struct classic_listener *listener);

/* Open the spare socket, which joins the group. Returns 0 or -errno. */
int classic_listener_open_spare(struct classic_listener *listener, const struct listener *address);

/* Add or remove a slot's socket: see engine_put() and engine_lose(). */
int classic_listener_put(struct classic_listener *listener, uint32_t slot, int socket);
void classic_listener_lose(struct classic_listener *listener, uint32_t slot);

/*
 * Generate the program of a table.
 *
 * slots  the table: STICKY_BUCKETS elements, all of them below `count`
 *
 * Slots that do not serve the listener are left out: their clients are distributed over the others.
 * If none serves it, every connection is reset.
 *
 * Returns the program, to be freed by free(), whose `error` may be -E2BIG; NULL: no memory.
 */
struct classic_program *classic_listener_program(const struct classic_listener *listener,
						 const struct sticky_settings *settings,
						 const uint16_t *slots, uint32_t count);

/*
 * Attach a program, unless the same one is attached: kernels without the fix of CVE-2026-52910
 * (kernel_version.h) must not replace a program more often than is needed.
 *
 * program  belongs to the listener afterwards, also after an error; its `error` is returned
 * anew     attach even the same program, as another process may have detached it
 *
 * Returns 0, or an error of classic_attach() or of classic_program_make().
 */
int classic_listener_attach(struct classic_listener *listener, struct classic_program *program,
			    bool anew);

/* Add the spare socket to an epoll instance. Returns 0 or -errno. */
int classic_listener_watch(const struct classic_listener *listener, int epoll);

/* Accept and reset the connections that wait in the spare socket. */
void classic_listener_reset(struct classic_listener *listener);

/*
 * Get a source of test connections.
 *
 * number  of the port: below CLASSIC_CHECK_PORTS
 * source  an address without a port; the port is filled in
 *
 * Returns true if the attached program does not know the address yet: a new one must be attached.
 */
bool classic_listener_source(struct classic_listener *listener, uint32_t number,
			     struct sockaddr_storage *source);

/*
 * Judge a test connection: see engine_judge_check(). The program works if the test connection has
 * arrived at the spare socket, and no other connection has since the last call. Waits some
 * milliseconds for it.
 */
int classic_listener_judge(struct classic_listener *listener, bool was_refused);

#endif
