/* SPDX-License-Identifier: MIT */
/* Scripts that Node.js workers load before the application. */
#ifndef STICKY_NODE_PRELOAD_H
#define STICKY_NODE_PRELOAD_H

enum preload {
	/* The worker tells which signals the application handles, and runs the handler in time. */
	PRELOAD_STOP,
	/* For kept connections at a reload, and for passed connections: see preload_messages.h. */
	PRELOAD_CONNECTIONS,
	PRELOAD_COUNT
};

/* Returns the name of a script's file. */
const char *preload_name(enum preload preload);

/* Write a script to a file that every user may read. Returns 0 or -errno. */
int preload_write(enum preload preload, const char *path);

#endif
