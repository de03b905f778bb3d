/* SPDX-License-Identifier: MIT */
/*
 * Guards --admin against DNS rebinding. A page of a foreign site can have its own name point to
 * this machine, and its script would then read the answers as those of its own site. Such a request
 * names the foreign site in its header Host.
 */
#ifndef STICKY_ADMIN_ADMIN_HOST_H
#define STICKY_ADMIN_ADMIN_HOST_H

#include <stdbool.h>

/*
 * May a request with this header Host be answered? It may if the host is an IP address, a name
 * without a dot (no foreign site has one), localhost or below it, or one of two names.
 *
 * host     "NAME", "NAME:PORT" or "[V6ADDRESS]:PORT"; NULL: the client is no browser
 * address  of --admin: its name is allowed, too
 * machine  this machine's name
 *
 * Pure.
 */
bool admin_host_is_allowed(const char *host, const char *address, const char *machine);

#endif
