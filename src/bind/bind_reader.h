/* SPDX-License-Identifier: MIT */
/*
 * Reads a caller's memory in a child process. A worker can make a page of memory whose reading
 * takes as long as it likes (a file of FUSE, userfaultfd(2)). This must not stop the controller's
 * loop.
 */
#ifndef STICKY_BIND_BIND_READER_H
#define STICKY_BIND_BIND_READER_H

#include <event2/event.h>
#include <stddef.h>

#include "bind/bind_notify.h"

struct bind_reader;

/*
 * Receive the address that bind() was given, once, unless the reader is cancelled. length 0: the
 * address can't be read, or it takes more than a second. The reader is freed after this call.
 */
typedef void bind_reader_done_fn(void *context, const void *bytes, size_t length);

/* Begin to read the address of a bind(). Returns 0 or -errno. */
int bind_reader_start(struct event_base *base, const struct bind_call *call,
		      bind_reader_done_fn *done, void *context, struct bind_reader **ret_reader);

/* End the reader without calling `done`. NULL is allowed. */
void bind_reader_cancel(struct bind_reader *reader);

#endif
