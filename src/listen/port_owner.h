/* SPDX-License-Identifier: MIT */
/* Finds the process that listens at a port, for error messages. */
#ifndef STICKY_LISTEN_PORT_OWNER_H
#define STICKY_LISTEN_PORT_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error_text.h"
#include "procfs/sockdiag.h"
#include "sticky.h"

/* Write the address of a listening socket as "127.0.0.1:80" or "[::]:80". */
void listener_format(const struct sockdiag_listener *listener,
		     char ret_text[STICKY_ADDRESS_TEXT_SIZE]);

/*
 * Find a process that listens at a port, at any address.
 *
 * ret_text  "pid 812 (nginx: master process) listens on 0.0.0.0:80"; or, if the descriptors of the
 *           process may not be read, "a process of www-data (uid 33) listens on 0.0.0.0:80"
 *
 * Returns false if no socket was found that listens there.
 */
bool port_owner_find(uint16_t port, struct error_text *ret_text);

#endif
