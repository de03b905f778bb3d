/* SPDX-License-Identifier: MIT */
/* Scripts that Node.js workers load before the application. */
#ifndef STICKY_NODE_PRELOAD_H
#define STICKY_NODE_PRELOAD_H

enum preload {
	/* The worker says which signals the application handles, and calls the handler in time. */
	PRELOAD_STOP,
	/* Kept connections at a reload, and passed connections: see preload_messages.h. */
	PRELOAD_CONNECTIONS,
	PRELOAD_COUNT
};

/* Returns the name of a script's file. */
const char *preload_name(enum preload preload);

/* Write a script to a file that every user may read. Returns 0 or -errno. */
int preload_write(enum preload preload, const char *path);

#endif
