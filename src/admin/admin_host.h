/* SPDX-License-Identifier: MIT */
/*
 * Guards --admin against DNS rebinding. A foreign site can have its own name point to this machine.
 * A script of its page could then read the answers as those of its own site. Such a request names
 * the foreign site in its header Host.
 */
#ifndef STICKY_ADMIN_ADMIN_HOST_H
#define STICKY_ADMIN_ADMIN_HOST_H

#include <stdbool.h>

/*
 * Returns true if a request with this header Host may be answered. The host must be an IP address,
 * a name without a dot (no foreign site has one), localhost or a name below it, or one of two
 * names.
 *
 * host     "NAME", "NAME:PORT" or "[V6ADDRESS]:PORT"; NULL: the client is no browser
 * address  of --admin: its name is allowed, too
 * machine  this machine's name, which is allowed, too
 *
 * Pure.
 */
bool admin_host_is_allowed(const char *host, const char *address, const char *machine);

#endif
