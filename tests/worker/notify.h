/* SPDX-License-Identifier: MIT */
/* sd_notify(3)'s messages to NOTIFY_SOCKET. */
#ifndef TESTS_WORKER_NOTIFY_H
#define TESTS_WORKER_NOTIFY_H

/* Send "READY=1" or a similar message. Fails if NOTIFY_SOCKET is not set. */
void notify(const char *message);

/* Send STATUS=... */
void notify_status(const char *status);

#endif
