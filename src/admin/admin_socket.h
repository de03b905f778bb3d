/* SPDX-License-Identifier: MIT */
/* Opens the listening socket of --admin. */
#ifndef STICKY_ADMIN_ADMIN_SOCKET_H
#define STICKY_ADMIN_ADMIN_SOCKET_H

#include "common/error_text.h"
#include "rights/unix_path.h"
#include "rights/user_rights.h"

/*
 * Open the socket. The file of a UNIX socket that no process listens on any more is replaced. The
 * new file has mode 0666, as systemd's sockets have: its directory decides who may connect.
 *
 * rights     of the workers' user. If that user could change where the path leads to, the path is
 *            used with these rights. Must stay valid until unix_path_remove()
 * ret_path   the file to remove at the end; none for TCP
 * ret_error  what is wrong, and what to do
 *
 * Returns a non-blocking descriptor, or -errno.
 */
int admin_socket_open(const char *address, const struct user_rights *rights,
		      struct unix_path *ret_path, struct error_text *ret_error);

#endif
