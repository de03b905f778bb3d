/* SPDX-License-Identifier: MIT */
/*
 * The reason why a Node.js worker is not READY yet, for a message if it never becomes READY. Pure.
 */
#ifndef STICKY_NODE_NOT_READY_H
#define STICKY_NODE_NOT_READY_H

#include <stdbool.h>
#include <stddef.h>

struct not_ready {
	bool is_online;	     /* Node.js has begun */
	bool is_of_module;   /* it was written for a module, and reports itself that it is ready */
	bool listens;	     /* it listens on one of the listeners at least */
	const char *missing; /* listeners that -l names and on which it does not listen; "": none */
	const char *elsewhere; /* the other addresses on which it listens; "": none */
	/* the address of the last listen() that the controller has refused; "": none */
	const char *refused;
	int refused_error; /* the error of that listen(), as -errno */
};

/* Write the reason into a buffer of `size` bytes. Returns a hint for the user, a static string. */
const char *not_ready_text(const struct not_ready *facts, size_t size, char *ret_text);

#endif
