/* SPDX-License-Identifier: MIT */
/* The two ends of the line. */
#ifndef TESTS_DELAY_TUN_H
#define TESTS_DELAY_TUN_H

/*
 * Make a TUN device of this name in the network namespace of the caller. It lasts as long as the
 * descriptor that is returned, which is non-blocking: read() gives a packet that the namespace
 * sends, write() lets it receive one. A failure ends the program.
 */
int tun_open(const char *name);

#endif
