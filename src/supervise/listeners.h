/* SPDX-License-Identifier: MIT */
/* The listeners of an instance: opened with words that help, and described. */
#ifndef STICKY_SUPERVISE_LISTENERS_H
#define STICKY_SUPERVISE_LISTENERS_H

#include <stddef.h>
#include <stdint.h>

#include "sticky.h"

/*
 * Add a listener.
 *
 * ret_error  what is wrong, where, and what to do, error_size bytes
 *
 * Returns its index or -errno, as sticky_group_listen().
 */
int listen_on(struct sticky_group *group, const char *address, char *ret_error, size_t error_size);

/* The listeners' ports, host order, in their order. Returns how many. */
size_t listen_ports(struct sticky_group *group, uint16_t ret_ports[STICKY_LISTENERS_LIMIT]);

/* "[::]:8080,127.0.0.1:3000" */
void listen_describe(struct sticky_group *group, size_t size, char *ret_text);

#endif
