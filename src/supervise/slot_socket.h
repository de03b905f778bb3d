/* SPDX-License-Identifier: MIT */
/*
 * A slot's private address: always that slot, steered by nobody. For a proxy that chooses the
 * worker itself, for scraping, for debugging. All lives of a slot share its socket, so that what
 * is queued there survives them.
 */
#ifndef STICKY_SUPERVISE_SLOT_SOCKET_H
#define STICKY_SUPERVISE_SLOT_SOCKET_H

#include <stddef.h>
#include <stdint.h>

struct supervised_slot;

#define SLOT_SOCKET_TEXT_SIZE 256

/*
 * The address of a slot.
 *
 * form      "unix:/run/app/{slot}.sock", "127.0.0.1:90{slot}"; {slot} is replaced
 * ret_text  SLOT_SOCKET_TEXT_SIZE bytes
 *
 * Returns 0, or -EINVAL: no {slot} in it, or too long. Pure.
 */
int slot_socket_address(const char *form, uint32_t slot, char *ret_text);

/*
 * Listen on it. Of a UNIX socket that nobody listens on any more the file is replaced; everybody
 * who can reach the new one may connect (0666, as systemd's sockets): its directory decides.
 *
 * ret_error  what is wrong, and what to do, error_size bytes
 *
 * Returns the descriptor or -errno.
 */
int slot_socket_listen(const char *form, uint32_t slot, int backlog, size_t error_size,
		       char *ret_error);

/* Close it, and remove its file. -1 is allowed. */
void slot_socket_unlisten(const char *form, uint32_t slot, int fd);

/*
 * Open the socket of a slot's own address, where it is to have one (--slot-listen) and has none.
 * Parameters and results as of slot_socket_listen(), but 0 for success.
 */
int slot_socket_open(struct supervised_slot *slot, size_t error_size, char *ret_error);

/* Close it, and remove its file. A slot without one is allowed. */
void slot_socket_close(struct supervised_slot *slot);

#endif
