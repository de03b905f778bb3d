/* SPDX-License-Identifier: MIT */
/* Tells where the value of an option comes from. Pure. */
#ifndef STICKY_CONFIG_ORIGINS_H
#define STICKY_CONFIG_ORIGINS_H

#include <stddef.h>

#include "config/file_report.h"
#include "config/sources.h"

/* The sources of a value. Each overrides those before it. */
enum origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_COMMAND_LINE, ORIGIN_COUNT };

/* The result of sources_read(). All of it is borrowed. */
struct origins {
	const struct config_sources *sources;
	const struct file_report *report;
	const char *file; /* the file's name; NULL: there is no file */
};

#define ORIGIN_TEXT_SIZE 512

/* Returns the source whose value is used. */
enum origin origin_of(const struct origins *origins, const struct config_option *option);

/*
 * Write where a value comes from: "default", "web.yaml:3", "STICKYCTL_WORKERS", "command line". If
 * each source adds to the option's list, all these sources are named.
 */
void origin_describe(const struct origins *origins, const struct config_option *option,
		     char ret_text[ORIGIN_TEXT_SIZE]);

/*
 * Write the place of a value as the beginning of a message: "web.yaml:3:10: max_rss",
 * "environment STICKYCTL_MAX_RSS", "--max-rss". A default is named as "--max-rss", too.
 */
void origin_place(const struct origins *origins, const struct config_option *option,
		  char ret_text[ORIGIN_TEXT_SIZE]);

#endif
