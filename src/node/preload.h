/* SPDX-License-Identifier: MIT */
/*
 * A file that Node.js workers load first, behind a proxy: it answers each request of a connection
 * that was passed with `Connection: close`, so that the proxy can't put another client's on it.
 */
#ifndef STICKY_NODE_PRELOAD_H
#define STICKY_NODE_PRELOAD_H

/* Write it, readable by everybody. Returns 0 or -errno. */
int preload_write(const char *path);

#endif
