/* SPDX-License-Identifier: MIT */
/* The files of the page of --admin, which are compiled in. */
#ifndef STICKY_ADMIN_ADMIN_PAGE_H
#define STICKY_ADMIN_ADMIN_PAGE_H

#include <stddef.h>

struct admin_file {
	const char *path; /* in the URL */
	const char *type; /* for the header Content-Type */
	const char *text;
};

/* Returns the file of a path, or NULL. */
const struct admin_file *admin_page_file(const char *path);

#endif
