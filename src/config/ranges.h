/* SPDX-License-Identifier: MIT */
/* Address ranges as users write them: CIDR, or the names of files that list them. */
#ifndef STICKY_CONFIG_RANGES_H
#define STICKY_CONFIG_RANGES_H

#include <stddef.h>

#include "sticky.h"
#include "common/error_text.h"
#include "common/stringlist.h"

struct ranges {
	struct sticky_prefix *list;
	size_t count;
};

/*
 * Read address ranges. A file (@NAME) has one range on each line; empty lines, and the rest of a
 * line behind a '#', are skipped.
 *
 * words       each is a CIDR or @FILE; an empty list means loopback and the private ranges
 * ret_ranges  to be freed by ranges_fini()
 * ret_error   file:line and what is wrong
 *
 * Returns 0, -EINVAL (not a range), -E2BIG (more than STICKY_PROXIES_LIMIT), -ENOMEM, or the -errno
 * of a file that can't be read.
 */
int ranges_read(const struct string_list *words, struct ranges *ret_ranges,
		struct error_text *ret_error);

/* Free the list of ranges. */
void ranges_fini(struct ranges *ranges);

#endif
