/* SPDX-License-Identifier: MIT */
/* The address for the messages of sd_notify(3), and the period of the watchdog's messages. Pure. */
#ifndef STICKY_SERVICE_SERVICE_ADDRESS_H
#define STICKY_SERVICE_SERVICE_ADDRESS_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct service_address {
	struct sockaddr_un address;
	socklen_t length; /* in bytes, of `address` */
};

/*
 * Read the value of NOTIFY_SOCKET: an absolute path, or the name of an abstract socket behind a
 * '@'.
 *
 * Returns 0; -EINVAL: it is neither; -ENAMETOOLONG: a socket's name cannot be so long.
 */
int service_address_parse(const char *text, struct service_address *ret_address);

/*
 * Find how often WATCHDOG=1 is to be sent. The period is half of the time after which the
 * supervisor considers the service dead.
 *
 * usec_text  the value of WATCHDOG_USEC; NULL: it is not set
 * pid_text   the value of WATCHDOG_PID, the process that is watched; NULL: any
 * pid        of this process
 *
 * Returns the period in ms, at least 1; 0: this process is not watched.
 */
uint32_t service_watchdog_period_ms(const char *usec_text, const char *pid_text, pid_t pid);

#endif
