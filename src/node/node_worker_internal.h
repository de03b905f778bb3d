/* SPDX-License-Identifier: MIT */
/* One Node.js worker, as node_worker.c and the files beside it use it. */
#ifndef STICKY_NODE_NODE_WORKER_INTERNAL_H
#define STICKY_NODE_NODE_WORKER_INTERNAL_H

#include "node/cluster_messages.h"
#include "node/ipc.h"
#include "node/late_listeners.h"
#include "node/node_worker.h"
#include "node/preload_messages.h"

#define ON_THE_WAY_MAX 64
#define KEY_SIZE       192
#define WORDS_SIZE     128
#define MISSING_SIZE   96

/*
 * The controller's own messages are numbered from here on. Passed connections are numbered from 1
 * on.
 */
#define FIRST_SEQ (1ll << 40)

/* The key of a server at a listener. It is the same for each worker and each controller. */
#define KEY_FORMAT "sticky:%d"

struct node_worker {
	struct node_worker_options options;
	struct node_ipc *ipc;
	struct worker_endpoint *endpoint; /* NULL: no connections are passed */
	struct relay_member *member;
	json_int_t seq;
	char asked[STICKY_LISTENERS_LIMIT][KEY_SIZE]; /* key of the query for each listener */
	/* listeners that the worker has, one bit each */
	uint32_t held;
	uint32_t listening;	    /* those of `held` on which it listens */
	char elsewhere[WORDS_SIZE]; /* text for messages: its other addresses */
	char refused[WORDS_SIZE];   /* the address of the last listen() that failed; "": none */
	int refused_error;	    /* the error of that listen(), as -errno */
	/* an object whose keys are those of the worker's shared sockets */
	json_t *shared;
	struct late_listeners *late; /* NULL: no port can become a listener */
	bool is_online;
	/*
	 * Descriptors that have not arrived yet, in order. Each is a connection's number, or 0 for
	 * another socket.
	 */
	uint32_t handles[ON_THE_WAY_MAX * 2];
	uint32_t first_handle, handle_count;
	bool has_ended;	   /* the worker has closed its end of the channel */
	bool has_preload;  /* the worker has loaded stop.js */
	bool was_told;	   /* stop.js was told when to run the application's handler */
	bool has_answered; /* stop.js has said what the application handles */
	bool handles_signal;
	bool has_sent_handle;
	bool has_lost; /* messages of other workers were lost, and this was logged */
	bool handles_disconnect;
};

/* ---- node_passing.c: what is sent to the worker ---- */

/*
 * Send a message.
 *
 * message  taken over; NULL: there was no memory for it
 * fd       a descriptor to send with it; -1: none
 * id       number of the passed connection that `fd` is; 0: `fd` is another socket
 *
 * Returns 0 or -errno.
 */
int node_send(struct node_worker *node, json_t *message, int fd, uint32_t id);

/* Write the key of a server at a listener. listener: its index. */
void node_format_key(int listener, char key[KEY_SIZE]);

/* Was the worker written for a module? Such a worker only reports that a connection has arrived. */
bool node_is_of_module(const struct node_worker *node);

/* Functions that pass connections, with the worker as the context. */
extern const struct worker_endpoint_ops node_endpoint_ops;

/* Pass the connections that wait. The callback `drained` of the channel. */
void node_on_drained(void *context);

/* Handle the worker's answer to a passed connection: it was accepted, or refused. */
void node_on_answer(struct node_worker *node, const struct cluster_event *event);

/* Note that the first descriptor on the way has arrived, or has not. */
void node_on_handle_taken(struct node_worker *node);
void node_on_handle_lost(struct node_worker *node);

/* Acknowledge a descriptor that the application has sent, and warn once. */
void node_on_handle_sent(struct node_worker *node);

/* ---- node_queries.c: on what the worker listens ---- */

/* Note what the worker has yet to do to be READY, for the message if it never does. */
void node_note_why_not_ready(struct node_worker *node);

/* Answer the worker's query for a socket. */
void node_on_query(struct node_worker *node, const struct cluster_event *event);

/* Note that the worker listens on a socket for which it has asked. */
void node_on_listening(struct node_worker *node, const struct cluster_event *event);

/* Note that the worker has closed a server. */
void node_on_closed(struct node_worker *node, const struct cluster_event *event);

/* Release the shared sockets that the worker has. */
void node_release_shared(struct node_worker *node);

/* ---- node_warnings.c ---- */

/* Warn about a message of the application that has no receiver. Each kind is logged once. */
void node_warn_unheard(const struct node_worker *node, const struct node_message *message);

/* Warn about the first broadcast that holds a Buffer. Other messages are ignored. */
void node_warn_buffer(const struct node_worker *node, const struct node_message *message);

/*
 * Warn about a message that is longer than NODE_MESSAGE_MAX. The callback `too_long` of the
 * channel.
 */
void node_warn_too_long(void *context);

#endif
