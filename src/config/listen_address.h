/* SPDX-License-Identifier: MIT */
/* The form of a listening address, as --listen and --admin take it. Pure: no name is looked up. */
#ifndef STICKY_CONFIG_LISTEN_ADDRESS_H
#define STICKY_CONFIG_LISTEN_ADDRESS_H

/* Returns what is wrong with an address, as the rest of "'TEXT' is not ..."; NULL: nothing. */
const char *listen_address_problem(const char *text);

/* The same for --admin, which may also be "unix:" and an absolute path, or "off". */
const char *admin_address_problem(const char *text);

/* Returns the path of "unix:/path"; NULL: it is another address. */
const char *listen_address_path(const char *text);

#endif
