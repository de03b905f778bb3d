/* SPDX-License-Identifier: MIT */
/* What a Node.js worker has yet to do to be ready, for the message if it never does. Pure. */
#ifndef STICKY_NODE_NOT_READY_H
#define STICKY_NODE_NOT_READY_H

#include <stdbool.h>
#include <stddef.h>

struct not_ready {
	bool is_online;	     /* Node.js has begun */
	bool is_of_module;   /* it was written for a module, and says itself that it is ready */
	bool listens;	     /* on one of the listeners at least */
	const char *missing; /* listeners that -l names and on which it does not listen; "": none */
	const char *elsewhere; /* what else it listens on; "": nothing */
	/* the address of the last listen() that the controller has refused; "": none */
	const char *refused;
	int refused_error; /* why, as -errno */
};

/*
 * Write the reason into a buffer of `size` bytes. Returns what the user can do about it, which is
 * static.
 */
const char *not_ready_text(const struct not_ready *facts, size_t size, char *ret_text);

#endif
