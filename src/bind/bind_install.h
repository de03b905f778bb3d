/* SPDX-License-Identifier: MIT */
/* Installs the filter in a child, and finds out whether this can be done. */
#ifndef STICKY_BIND_BIND_INSTALL_H
#define STICKY_BIND_BIND_INSTALL_H

/*
 * Install the filter in this process, for good. It also applies to the programs that the process
 * runs and the processes that it starts. Without CAP_SYS_ADMIN this sets no_new_privs, as the
 * kernel requires it: from now on execve() of a set-user-ID program gives no rights.
 * Async-signal-safe.
 *
 * channel  where the filter's descriptor is sent to, with one byte; -1: nowhere
 *
 * Returns 0 or -errno.
 *
 * -EBUSY             another process listens to a filter above this one
 * -EINVAL, -ENOSYS   the kernel has no such filters
 * -EPERM, -EACCES    a rule of the system forbids it
 */
int bind_install(int channel);

/* Try bind_install() in a child. Returns 0 or its -errno. */
int bind_install_try(void);

/* Returns why the filter can't be installed, for an error of bind_install(). */
const char *bind_install_reason(int error);

#endif
