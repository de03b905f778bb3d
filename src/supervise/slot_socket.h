/* SPDX-License-Identifier: MIT */
/*
 * A slot's own address (--slot-listen): connections to it always reach that slot. It is for a proxy
 * that chooses the worker itself, for scraping metrics, for debugging. All workers of a slot share
 * its socket, one after the other, so that the connections queued there survive a worker.
 */
#ifndef STICKY_SUPERVISE_SLOT_SOCKET_H
#define STICKY_SUPERVISE_SLOT_SOCKET_H

#include <stddef.h>
#include <stdint.h>

#include "common/error_text.h"

struct supervised_slot;

#define SLOT_SOCKET_TEXT_SIZE 256

/*
 * Write the address of a slot.
 *
 * form      "unix:/run/app/{slot}.sock", "127.0.0.1:90{slot}"; {slot} is replaced
 * ret_text  SLOT_SOCKET_TEXT_SIZE bytes
 *
 * Returns 0, or -EINVAL: no {slot} in it, or too long. Pure.
 */
int slot_socket_address(const char *form, uint32_t slot, char *ret_text);

/*
 * Open the socket of a slot's own address, if the slot is to have one (--slot-listen) and has none.
 * The file of a UNIX socket that no process listens on any more is replaced. The new file has mode
 * 0666, as systemd's sockets: its directory decides who may connect. If the workers' user could
 * change where the path leads, it is used with that user's rights.
 *
 * ret_error  what is wrong, and what to do
 *
 * Returns 0 or -errno.
 */
int slot_socket_open(struct supervised_slot *slot, struct error_text *ret_error);

/* Give a slot the socket of its own address that a previous controller opened. fd: taken over. */
void slot_socket_adopt(struct supervised_slot *slot, int fd);

/* Close the socket of a slot's own address, and remove its file. A slot without one is allowed. */
void slot_socket_close(struct supervised_slot *slot);

#endif
