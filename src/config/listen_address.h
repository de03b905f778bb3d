/* SPDX-License-Identifier: MIT */
/* The form of a listening address, as --listen takes it. Pure: no name is looked up. */
#ifndef STICKY_CONFIG_LISTEN_ADDRESS_H
#define STICKY_CONFIG_LISTEN_ADDRESS_H

/* Returns what is wrong with an address, as the rest of "'TEXT' is not ..."; NULL: nothing. */
const char *listen_address_problem(const char *text);

#endif
