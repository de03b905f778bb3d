/* SPDX-License-Identifier: MIT */
/*
 * Tells the supervisor of this process (systemd, with Type=notify) what happens to the instance: by
 * the messages of sd_notify(3), if NOTIFY_SOCKET names a socket for them. The supervisor of the
 * workers is another thing: see supervise/supervisor.h.
 *
 * - READY=1: every slot has been ready, or is drained or failed (after a takeover: one is ready);
 *   the end of a reload
 * - RELOADING=1: a reload of all slots begins; also one that is refused, before READY=1
 * - STOPPING=1: a stop begins
 * - STATUS=...: what has changed, at most five times a second
 * - EXTEND_TIMEOUT_USEC=: while a reload or a stop goes on
 * - WATCHDOG=1: from the main loop, as WATCHDOG_USEC asks for
 *
 * MAINPID= is never sent: an upgrade keeps the process.
 */
#ifndef STICKY_SERVICE_SERVICE_H
#define STICKY_SERVICE_SERVICE_H

#include <event2/event.h>

#include "api/instance.h"

struct service;

/*
 * Begin to tell it. WATCHDOG=1 is sent at once: before an upgrade, another program has sent the
 * last one.
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
 * A reload that the supervisor has asked for by a signal was refused. It waits for the end of a
 * reload.
 *
 * service  NULL is allowed
 * why      copied, for the status
 */
void service_note_refused_reload(struct service *service, const char *why);

/* Stop telling it. NULL is allowed. */
void service_close(struct service *service);

#endif
