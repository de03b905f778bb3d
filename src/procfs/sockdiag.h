/* SPDX-License-Identifier: MIT */
/* The kernel's list of TCP sockets, from sock_diag(7). */
#ifndef STICKY_PROCFS_SOCKDIAG_H
#define STICKY_PROCFS_SOCKDIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * List the inode numbers of accepted connections at local ports, in ascending order.
 *
 * ports       in host byte order
 * ret_inodes  freed by the caller; NULL if there are none
 *
 * Returns the number of connections, or -errno. Costs a walk over all connections of the network
 * namespace.
 */
long sockdiag_connections(const uint16_t *ports, size_t port_count, uint32_t **ret_inodes);

struct sockdiag_socket {
	uint32_t inode;
	bool listens; /* a listening socket; else an accepted connection */
	/*
	 * The length of the queue. Of a listening socket: connections that wait to be accepted. Of
	 * a connection: bytes that wait to be read, where the end of the stream counts as one byte.
	 */
	uint32_t queue;
	uint64_t received; /* bytes received so far on a connection */
};

/* Receive a socket. Returns 0 to go on, or -errno to end the walk. */
typedef int sockdiag_found_fn(void *context, const struct sockdiag_socket *socket);

/*
 * Call `found` with each listening socket and accepted connection at local ports.
 *
 * ports  in host byte order
 *
 * Returns 0 or -errno, also the -errno of `found`. Costs a walk over all TCP sockets of the network
 * namespace.
 */
int sockdiag_walk(const uint16_t *ports, size_t port_count, sockdiag_found_fn *found,
		  void *context);

struct sockdiag_listener {
	uint64_t cookie; /* SO_COOKIE: unique until the kernel boots again */
	uint32_t inode;
	uint32_t uid;	     /* of the user who made the socket */
	uint16_t port;	     /* the local one, in host byte order */
	int family;	     /* AF_INET or AF_INET6, of the local address */
	uint8_t address[16]; /* network order; IPv4: the first 4 bytes */
};

/* Receive a listening socket. */
typedef void sockdiag_listener_fn(void *context, const struct sockdiag_listener *listener);

/*
 * Call `found` with each listening socket at local ports, of any process.
 *
 * ports  in host byte order; NULL: at any port
 *
 * Returns 0 or -errno. Costs a walk over the listening sockets of the network namespace only.
 */
int sockdiag_listeners(const uint16_t *ports, size_t port_count, sockdiag_listener_fn *found,
		       void *context);

/* A connection that waits in the accept queue of a listening socket. */
struct sockdiag_waiting {
	uint64_t cookie; /* unique until the kernel boots again */
	uint16_t port;	 /* the local one, in host byte order */
	struct sockaddr_storage peer;
};

/* Receive a waiting connection. Returns 0 to go on, or -errno to end the walk. */
typedef int sockdiag_waiting_fn(void *context, const struct sockdiag_waiting *waiting);

/*
 * Call `found` with each connection at local ports that no process has accepted yet. The kernel
 * does not tell in which listening socket's queue a connection waits.
 *
 * ports  in host byte order
 *
 * Returns 0 or -errno, also the -errno of `found`. Costs a walk over all connections of the network
 * namespace.
 */
int sockdiag_waiting(const uint16_t *ports, size_t port_count, sockdiag_waiting_fn *found,
		     void *context);

/* A connection that was accepted, or that waits to be accepted. */
struct sockdiag_connection {
	uint16_t port;	     /* the local one, in host byte order */
	int family;	     /* AF_INET or AF_INET6, of the socket */
	uint8_t address[16]; /* the local one, in network order; IPv4: the first 4 bytes */
	struct sockaddr_storage peer;
};

/* Receive a connection. Returns 0 to go on, or -errno to end the walk. */
typedef int sockdiag_connection_fn(void *context, const struct sockdiag_connection *connection);

/*
 * Call `found` with each open connection at local ports, of any process.
 *
 * ports  in host byte order
 *
 * Returns 0 or -errno, also the -errno of `found`. Costs a walk over all connections of the network
 * namespace.
 */
int sockdiag_each_connection(const uint16_t *ports, size_t port_count,
			     sockdiag_connection_fn *found, void *context);

/*
 * Is any connection open at local ports, whether it is accepted or waits to be accepted?
 *
 * ports  in host byte order
 *
 * Returns 1, 0, or -errno. Costs a walk over the connections of the network namespace, up to the
 * first one that is found.
 */
int sockdiag_is_connected(const uint16_t *ports, size_t port_count);

/*
 * Does any connection wait at local ports for a process to accept it, whose client has closed
 * neither half of it?
 *
 * ports  in host byte order
 *
 * Returns 1, 0, or -errno. Costs as much as sockdiag_is_connected().
 */
int sockdiag_is_waited(const uint16_t *ports, size_t port_count);

/*
 * List the handshakes that have begun at local ports and are not over: the SYN has arrived, and the
 * client's last ACK has not. A handshake by SYN cookies is in no list of the kernel.
 *
 * ports        in host byte order
 * limit        the most handshakes to list
 * ret_cookies  SO_COOKIE of each, unique until the kernel boots again, in ascending order; freed
 *              by the caller; NULL if there are none
 *
 * Returns the number of handshakes, -E2BIG (more than `limit`), or another -errno. Costs a walk
 * over all connections of the network namespace.
 */
long sockdiag_handshakes(const uint16_t *ports, size_t port_count, size_t limit,
			 uint64_t **ret_cookies);

#endif
