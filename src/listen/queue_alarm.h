/* SPDX-License-Identifier: MIT */
/*
 * An alarm for many listening sockets: it tells once that a connection waits in one of them. While
 * it is armed and nothing waits, it costs nothing; while it is not armed, connections cause no
 * wake-up.
 */
#ifndef STICKY_LISTEN_QUEUE_ALARM_H
#define STICKY_LISTEN_QUEUE_ALARM_H

#include <event2/event.h>

struct queue_alarm;

/* Called once for each queue_alarm_arm(). */
typedef void queue_alarm_fn(void *context);

/* Open an empty set of sockets, not armed. Returns 0 or -errno. */
int queue_alarm_open(struct event_base *base, queue_alarm_fn *fn, void *context,
		     struct queue_alarm **ret_alarm);

/* Close the alarm. The sockets in it stay open. NULL is allowed. */
void queue_alarm_close(struct queue_alarm *alarm);

/* Add a listening socket. Returns 0 or -errno. */
int queue_alarm_add(struct queue_alarm *alarm, int fd);

/*
 * Remove a listening socket. This must be called before the socket is closed: the worker may still
 * have it open, and would keep it in the set. A socket that is not in the set is allowed.
 */
void queue_alarm_remove(struct queue_alarm *alarm, int fd);

/*
 * Arm the alarm: the loop calls the function once, when a connection waits in one of the sockets.
 * If one waits already, that is in the loop's next turn. Returns 0 or -ENOMEM.
 */
int queue_alarm_arm(struct queue_alarm *alarm);

#endif
