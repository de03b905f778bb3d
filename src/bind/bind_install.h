/* SPDX-License-Identifier: MIT */
/* Installing the filter in a child, and whether that can be done here. */
#ifndef STICKY_BIND_BIND_INSTALL_H
#define STICKY_BIND_BIND_INSTALL_H

/*
 * Install the filter in this process, for good: also for the programs that it runs and the
 * processes that it starts. Without CAP_SYS_ADMIN it sets no_new_privs, as the kernel wants it:
 * from now on execve() of a set-user-ID program gives no rights. Async-signal-safe.
 *
 * channel  where the filter's descriptor is sent to, with one byte; -1: nowhere
 *
 * Returns 0 or -errno: -EBUSY: another process listens to a filter above this one; -EINVAL,
 * -ENOSYS: the kernel lacks it; -EPERM, -EACCES: something forbids it.
 */
int bind_install(int channel);

/* Try it in a child. Returns 0 or -errno, as bind_install(). */
int bind_install_try(void);

/* Returns why the filter can't be installed, for an error of bind_install(). */
const char *bind_install_reason(int error);

#endif
