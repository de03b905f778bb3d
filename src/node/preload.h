/* SPDX-License-Identifier: MIT */
/*
 * A script that Node.js workers behind a proxy load first. It answers each request on a passed
 * connection with `Connection: close`, so that the proxy can't send another client's request on it.
 */
#ifndef STICKY_NODE_PRELOAD_H
#define STICKY_NODE_PRELOAD_H

/* Write the script to a file that every user may read. Returns 0 or -errno. */
int preload_write(const char *path);

#endif
