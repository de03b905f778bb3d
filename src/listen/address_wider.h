/* SPDX-License-Identifier: MIT */
/* Warns of a listener that is open to more clients than the application has asked for. */
#ifndef STICKY_LISTEN_ADDRESS_WIDER_H
#define STICKY_LISTEN_ADDRESS_WIDER_H

/*
 * Log that a listener has every address, and a worker has asked for one of them. The caller does
 * this once.
 *
 * asked    "127.0.0.1:3000"
 * listens  the listener's address: "[::]:3000"
 */
void address_wider_report(const char *asked, const char *listens);

#endif
