/* SPDX-License-Identifier: MIT */
/*
 * Tells the supervisor of this process (systemd, with Type=notify) what happens to the instance. If
 * NOTIFY_SOCKET names a socket, the messages of sd_notify(3) are sent to it. This is not the
 * supervisor of the workers: see supervise/supervisor.h.
 *
 * - READY=1: each slot has been ready, or is drained or failed (after a takeover: one slot is
 *   ready); also at the end of a reload
 * - RELOADING=1: a reload of all slots begins, or was refused: then READY=1 follows at once
 * - STOPPING=1: a stop begins
 * - STATUS=...: the state of the instance when it has changed, at most five times a second
 * - EXTEND_TIMEOUT_USEC=: sent while a reload or a stop goes on
 * - WATCHDOG=1: sent by the main loop, as often as WATCHDOG_USEC asks for
 *
 * MAINPID= is never sent: an upgrade keeps the process.
 */
#ifndef STICKY_SERVICE_SERVICE_H
#define STICKY_SERVICE_SERVICE_H

#include <event2/event.h>

#include "api/instance.h"

struct service;

/*
 * Begin to tell the supervisor. WATCHDOG=1 is sent at once: after an upgrade, the last one was sent
 * by the previous program.
 *
 * instance     its journal must be open; the other parts are looked at when the loop runs
 * ret_service  NULL: there is no supervisor to tell, or its NOTIFY_SOCKET can't be used, which is
 *              logged
 *
 * Returns 0 or -ENOMEM.
 */
int service_open(struct event_base *base, const struct instance *instance,
		 struct service **ret_service);

/*
 * Tell the supervisor that a reload which it has asked for by a signal was refused. Otherwise it
 * would wait for the end of the reload.
 *
 * service  NULL is allowed
 * why      copied, for the status
 */
void service_note_refused_reload(struct service *service, const char *why);

/* Stop telling the supervisor, and free the service. NULL is allowed. */
void service_close(struct service *service);

#endif
