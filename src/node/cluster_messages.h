/* SPDX-License-Identifier: MIT */
/*
 * The messages of Node.js's cluster module, as JSON values: the primary's side of the messages that
 * lib/internal/cluster/child.js sends and expects. Pure.
 */
#ifndef STICKY_NODE_CLUSTER_MESSAGES_H
#define STICKY_NODE_CLUSTER_MESSAGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "node/node_message.h"

enum cluster_kind {
	CLUSTER_OTHER,	   /* a message of the application, not of the cluster module */
	CLUSTER_ONLINE,	   /* the worker runs */
	CLUSTER_QUERY,	   /* the worker calls listen(), and asks for a socket */
	CLUSTER_LISTENING, /* the worker listens now */
	CLUSTER_CLOSED,	   /* the worker closed a server */
	/* the worker disconnects on its own decision, and waits for an answer */
	CLUSTER_LEAVING,
	CLUSTER_ANSWER,	      /* an answer to a message that the controller sent */
	CLUSTER_HANDLE_TAKEN, /* a descriptor arrived */
	CLUSTER_HANDLE_LOST,  /* a descriptor did not arrive: the worker had no free one */
	CLUSTER_SAYS_READY,   /* {"cmd":"ready"}, or the text "ready" */
	CLUSTER_WANTS_OUT,    /* {"cmd":"disconnect"}: the worker asks to be replaced */
	CLUSTER_HAS_PRELOAD,  /* stop.js is loaded: it answers cluster_tell_stop() */
	CLUSTER_STOP_ANSWER   /* stop.js says what the application handles */
};

/* The receiver of a message. */
enum cluster_address {
	CLUSTER_NO_VALUE,    /* the bytes are no value of the message's format */
	CLUSTER_TO_PRIMARY,  /* the controller; cluster_read() tells the meaning */
	CLUSTER_HANDLE,	     /* a message of the application, with a descriptor */
	CLUSTER_APPLICATION, /* a message of the application: for workers, or without a receiver */
};

#define CLUSTER_ADDRESS_SIZE 108 /* the longest address is a UNIX socket's path */

/* Flags of a query, with libuv's values. */
#define CLUSTER_IPV6_ONLY	  (1 << 0)
#define CLUSTER_UDP_REUSE_ADDRESS (1 << 2)

/* The address that a server is to listen on. */
struct cluster_query {
	char address[CLUSTER_ADDRESS_SIZE]; /* "": every address */
	int port;			    /* -1: not given */
	int address_type;		    /* 4 or 6; -1: a UNIX socket's path, or a descriptor */
	char udp;			    /* '4' or '6': a UDP socket; 0: a stream socket */
	int fd;				    /* the `fd` of listen({fd}); -1: not given */
	/* number among the servers of one process with the same address, from 0 on */
	int index;
	int flags; /* CLUSTER_IPV6_ONLY, ... */
	/* the path is longer than the path of a UNIX socket may be */
	bool is_too_long;
};

struct cluster_event {
	enum cluster_kind kind;
	json_int_t seq;		    /* the message's number, for the answer to it */
	struct cluster_query query; /* CLUSTER_QUERY, CLUSTER_LISTENING */
	const json_t *data; /* CLUSTER_QUERY: shared by all workers of the server; borrowed */
	json_int_t ack;	    /* CLUSTER_ANSWER: the number of the controller's message */
	bool accepted;	    /* CLUSTER_ANSWER to a connection: was it accepted? */
	char key[160];	    /* CLUSTER_CLOSED: the key of the server */
	/* CLUSTER_STOP_ANSWER: the application's handlers */
	bool handles_signal;
	bool handles_disconnect;
};

/* Returns the receiver of a message. */
enum cluster_address cluster_address(const struct node_message *message);

/* Read what a message means. `data` of the event is borrowed from `message`. */
void cluster_read(const json_t *message, struct cluster_event *ret_event);

/*
 * Write the key of a socket that workers share, in the form of Node.js 22 and later. The index is
 * part of the key for servers of port 0, and for all UDP servers. (In Node.js, UDP servers of one
 * process with the same address have the same key, which reuseAddr allows.)
 */
void cluster_key(const struct cluster_query *query, size_t size, char *ret_key);

/*
 * The functions below make the messages that the controller sends. They return NULL if memory is
 * short.
 *
 * seq  the number of the message
 */

/*
 * Make the answer to CLUSTER_QUERY. To send a descriptor with this message, put the message into
 * the envelope of cluster_wrap().
 *
 * error  0, or a negative errno, which libuv understands
 * data   from the first query for this server: TLS servers keep their session tickets' keys in it
 */
json_t *cluster_reply(json_int_t ack, const char *key, int error, const json_t *data,
		      json_int_t seq);

/* Put a message into the envelope that a descriptor needs. udp: the descriptor is a UDP socket. */
json_t *cluster_wrap(json_t *message, bool udp);

/*
 * Make the message for a connection that is passed to a server of the worker. It needs the envelope
 * of cluster_wrap().
 */
json_t *cluster_connection(const char *key, json_int_t seq);

/*
 * Make the message for a connection that is passed to a worker written for a module. The message
 * that the module's primary would send is put into the envelope of a net.Socket. `message` is taken
 * over.
 */
json_t *cluster_socket(json_t *message);

/* Make the message that asks the worker to finish its connections, and to exit. */
json_t *cluster_disconnect(json_int_t seq);

/* Tells stop.js when to run the application's handler. */
struct cluster_stop {
	/* of these, the first that the application handles: its handler is run; 0: no signal */
	int signals[2];
	uint32_t after_ms; /* milliseconds after which the handler runs at the latest */
	bool when_idle;	   /* the handler runs sooner, once no request is being answered */
	/*
	 * with when_idle: milliseconds before which it does not run while HTTP clients keep
	 * connections
	 */
	uint32_t kept_ms;
	/* the handler is that of this message, where the application listens for any; NULL: none */
	const char *message;
};

/* Make the message that tells stop.js that the worker is about to be asked to finish. */
json_t *cluster_tell_stop(const struct cluster_stop *stop);

/* Make the answer to a message with a descriptor. */
json_t *cluster_handle_taken(void);

/* Make an answer without content. */
json_t *cluster_acknowledge(json_int_t ack, json_int_t seq);

#endif
