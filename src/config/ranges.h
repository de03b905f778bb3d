/* SPDX-License-Identifier: MIT */
/* Address ranges as users name them: CIDR, or files of them. */
#ifndef STICKY_CONFIG_RANGES_H
#define STICKY_CONFIG_RANGES_H

#include <stddef.h>

#include "sticky.h"
#include "common/stringlist.h"

struct ranges {
	struct sticky_prefix *list;
	size_t count;
};

/*
 * Read them. A file (@NAME) has a range on each line; empty lines and what follows a '#' are
 * passed over.
 *
 * words      CIDR or @FILE; none: loopback and the private ranges
 * ret_error  file:line and what is wrong, error_size bytes
 *
 * Returns 0, -EINVAL (not a range), -E2BIG (more than STICKY_PROXIES_LIMIT), -ENOMEM, or why a
 * file can't be read.
 */
int ranges_read(const struct string_list *words, struct ranges *ret_ranges, size_t error_size,
		char *ret_error);

void ranges_fini(struct ranges *ranges);

#endif
