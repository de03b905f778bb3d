/* SPDX-License-Identifier: MIT */
/*
 * What Node.js's cluster module says, and what it wants to hear: the primary's side of
 * lib/internal/cluster/child.js, as values. Pure.
 */
#ifndef STICKY_NODE_CLUSTER_MESSAGES_H
#define STICKY_NODE_CLUSTER_MESSAGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum cluster_kind {
	CLUSTER_OTHER,	      /* none of ours: an application's own message */
	CLUSTER_ONLINE,	      /* it runs */
	CLUSTER_QUERY,	      /* listen(): it wants a socket */
	CLUSTER_LISTENING,    /* it listens now */
	CLUSTER_CLOSED,	      /* it closed a server */
	CLUSTER_LEAVING,      /* it disconnects by itself, and waits for our answer */
	CLUSTER_ANSWER,	      /* to a message of ours */
	CLUSTER_HANDLE_TAKEN, /* a descriptor arrived */
	CLUSTER_HANDLE_LOST,  /* it did not: no room */
	CLUSTER_SAYS_READY,   /* {"cmd":"ready"}, "ready" */
	CLUSTER_WANTS_OUT     /* {"cmd":"disconnect"}: it wants to be replaced */
};

#define CLUSTER_ADDRESS_SIZE 108 /* a UNIX path is the longest */

/* Of a query's flags: as libuv has them. */
#define CLUSTER_IPV6_ONLY	  (1 << 0)
#define CLUSTER_UDP_REUSE_ADDRESS (1 << 2)

/* What a server is to listen on. */
struct cluster_query {
	char address[CLUSTER_ADDRESS_SIZE]; /* "": every address */
	int port;			    /* -1: none */
	int address_type;		    /* 4, 6; -1: a UNIX path, or a descriptor */
	char udp;			    /* '4' or '6': a UDP socket; 0: a stream */
	int fd;				    /* listen({fd}); -1: none */
	int index;			    /* the how manieth server of that address */
	int flags;			    /* CLUSTER_IPV6_ONLY, ... */
	bool is_too_long;		    /* a UNIX path that none can be */
};

struct cluster_event {
	enum cluster_kind kind;
	json_int_t seq;		    /* its number, which an answer names */
	struct cluster_query query; /* CLUSTER_QUERY, CLUSTER_LISTENING */
	const json_t
		*data;	/* CLUSTER_QUERY: what all workers of the server are to share; borrowed */
	json_int_t ack; /* CLUSTER_ANSWER: to which message of ours */
	bool accepted;	/* CLUSTER_ANSWER to a connection */
	char key[160];	/* CLUSTER_CLOSED */
};

/* What a message means. */
void cluster_read(const json_t *message, struct cluster_event *ret_event);

/*
 * The key of a socket that workers share: as Node.js makes it from 22 on. The index tells servers
 * of port 0 apart; and, unlike there, UDP servers of one process that share an address (reuseAddr).
 */
void cluster_key(const struct cluster_query *query, size_t size, char *ret_key);

/*
 * Messages of ours; NULL: out of memory.
 *
 * seq  our number of the message
 */

/*
 * An answer to CLUSTER_QUERY. With a descriptor: wrap it.
 *
 * error  a negative errno, as libuv's
 * data   of the first query for this server: TLS servers keep their tickets' keys in it
 */
json_t *cluster_reply(json_int_t ack, const char *key, int error, const json_t *data,
		      json_int_t seq);

/* The same in the envelope of a descriptor. udp: of what type it is. */
json_t *cluster_wrap(json_t *message, bool udp);

/* A connection for a server that was given no socket, or one of its own. Wrap it. */
json_t *cluster_connection(const char *key, json_int_t seq);

/*
 * A connection as a worker expects it that was written for a module: the message that its primary
 * would send, in the envelope of a net.Socket. `message` is stolen.
 */
json_t *cluster_socket(json_t *message);

/* Finish what you have, and go. */
json_t *cluster_disconnect(json_int_t seq);

/* An answer that says nothing else. */
json_t *cluster_acknowledge(json_int_t ack, json_int_t seq);

#endif
