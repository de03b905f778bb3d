/* SPDX-License-Identifier: MIT */
/* Messages for the user on stderr, which are not lines of the log: why a start has failed. */
#ifndef STICKY_COMMON_MESSAGE_H
#define STICKY_COMMON_MESSAGE_H

#include <stdarg.h>

/*
 * Write a message, and a line end behind it. Where stderr is the stream of systemd's journal, each
 * of its lines has the priority of an error. Text beyond 4,000 bytes is cut off.
 *
 * format  that of printf()
 */
void message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with "stickyctl: " in front. */
void message_of_program(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

#endif
