/* SPDX-License-Identifier: MIT */
/*
 * Opens the listeners of an instance, with error messages that say what to do, and describes them.
 */
#ifndef STICKY_LISTEN_LISTENERS_H
#define STICKY_LISTEN_LISTENERS_H

#include <stddef.h>
#include <stdint.h>

#include "common/error_text.h"
#include "sticky.h"

/*
 * Add a listener to a group.
 *
 * address    HOST:PORT, [V6ADDRESS]:PORT or :PORT
 * ret_error  what is wrong, and what the user can do
 *
 * Returns the listener's index, or an error of sticky_group_listen().
 */
int listen_on(struct sticky_group *group, const char *address, struct error_text *ret_error);

/* Get the listeners' ports, in host order, in the order of the listeners. Returns their number. */
size_t listen_ports(struct sticky_group *group, uint16_t ret_ports[STICKY_LISTENERS_LIMIT]);

/* Write the listeners' addresses as "[::]:8080,127.0.0.1:3000", cut to `size` bytes. */
void listen_describe(struct sticky_group *group, size_t size, char *ret_text);

#endif
