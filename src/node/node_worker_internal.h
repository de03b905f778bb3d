/* SPDX-License-Identifier: MIT */
/* One Node.js worker, as node_worker.c and the files beside it share it. */
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

/* The controller's own messages are numbered from here on, passed connections from 1 on. */
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
	uint32_t listening;	    /* those of them on which it listens */
	char elsewhere[WORDS_SIZE]; /* text for messages: what else it listens on */
	char refused[WORDS_SIZE];   /* the address of the last listen() that failed; "": none */
	int refused_error;	    /* why, as -errno */
	/* an object; its keys are those of the shared sockets that the worker has */
	json_t *shared;
	struct late_listeners *late; /* NULL: no port can become a listener */
	bool is_online;
	/*
	 * Descriptors that have not arrived yet, in order: a connection's number; 0: other sockets.
	 */
	uint32_t handles[ON_THE_WAY_MAX * 2];
	uint32_t first_handle, handle_count;
	bool has_ended;	   /* the worker has closed its end of the channel */
	bool has_preload;  /* it has loaded stop.js */
	bool was_told;	   /* stop.js has been told when the application's handler is to run */
	bool has_answered; /* stop.js has said what the application handles */
	bool handles_signal;
	bool has_sent_handle;
	bool has_lost; /* messages of other workers were lost, which was told */
	bool handles_disconnect;
};

/* ---- node_passing.c: what is sent to the worker ---- */

/*
 * Send a message.
 *
 * message  taken over; NULL: there was no memory for it
 * fd       a descriptor to send with it; -1: none
 * id       of the passed connection that the descriptor is; 0: it is another socket
 *
 * Returns 0 or -errno.
 */
int node_send(struct node_worker *node, json_t *message, int fd, uint32_t id);

/* Write the key of a server at a listener, by its index. */
void node_format_key(int listener, char key[KEY_SIZE]);

/* Was the worker written for a module? Then it only reports that a connection has arrived. */
bool node_is_of_module(const struct node_worker *node);

/* How connections are passed, with the worker as the context. */
extern const struct worker_endpoint_ops node_endpoint_ops;

/* The callback `drained` of the channel. */
void node_on_drained(void *context);

/* The worker has accepted a passed connection, or refused it. */
void node_on_answer(struct node_worker *node, const struct cluster_event *event);

/* The descriptor that was sent first of those on the way has arrived, or has not. */
void node_on_handle_taken(struct node_worker *node);
void node_on_handle_lost(struct node_worker *node);

/* The application has sent a descriptor. */
void node_on_handle_sent(struct node_worker *node);

/* ---- node_queries.c: on what the worker listens ---- */

/* Note what the worker has yet to do to be READY, for the message if it never does. */
void node_note_why_not_ready(struct node_worker *node);

/* The worker asks for a socket. */
void node_on_query(struct node_worker *node, const struct cluster_event *event);

/* It listens on a socket that it has asked for. */
void node_on_listening(struct node_worker *node, const struct cluster_event *event);

/* It has closed a server. */
void node_on_closed(struct node_worker *node, const struct cluster_event *event);

/* Release the shared sockets that the worker has. */
void node_release_shared(struct node_worker *node);

/* ---- node_warnings.c ---- */

/* A message of the application is for no one. Each kind is told once. */
void node_warn_unheard(const struct node_worker *node, const struct node_message *message);

/* Tell the first broadcast that holds a Buffer. Nothing for a message without one. */
void node_warn_buffer(const struct node_worker *node, const struct node_message *message);

/* A message is longer than NODE_MESSAGE_MAX. The callback `too_long` of the channel. */
void node_warn_too_long(void *context);

#endif
