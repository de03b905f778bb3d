/* SPDX-License-Identifier: MIT */
/* Scripts that Node.js workers load before the application. */
#ifndef STICKY_NODE_PRELOAD_H
#define STICKY_NODE_PRELOAD_H

enum preload {
	/* The worker says which signals the application handles, and calls the handler in time. */
	PRELOAD_STOP,
	/*
	 * Behind a proxy: each request on a passed connection is answered with `Connection: close`,
	 * so that the proxy can't send another client's request on it.
	 */
	PRELOAD_KEEPALIVE,
	PRELOAD_COUNT
};

/* Returns the name of a script's file. */
const char *preload_name(enum preload preload);

/* Write a script to a file that every user may read. Returns 0 or -errno. */
int preload_write(enum preload preload, const char *path);

#endif
