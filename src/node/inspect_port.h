/* SPDX-License-Identifier: MIT */
/*
 * The debugger's port of each worker. As in Node.js's own cluster, each worker has its own. Pure.
 */
#ifndef STICKY_NODE_INSPECT_PORT_H
#define STICKY_NODE_INSPECT_PORT_H

#include <stdint.h>

#include "common/stringlist.h"

/*
 * Copy a command, with the slot added to the port of --inspect, --inspect-brk, --inspect-wait and
 * --inspect-port.
 *
 * These words stay as they are: options of the application itself, behind the script; all words of
 * a program that is not named node; port 0, for which the system chooses a port; and a port that
 * would be above 65535.
 *
 * ret_words  freed by the caller
 *
 * Returns 0 or -ENOMEM.
 */
int inspect_port_words(char *const *command, uint32_t slot, struct string_list *ret_words);

#endif
