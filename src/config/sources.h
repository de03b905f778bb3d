/* SPDX-License-Identifier: MIT */
/* The sources of a configuration. They are kept, to be read again while an instance runs. */
#ifndef STICKY_CONFIG_SOURCES_H
#define STICKY_CONFIG_SOURCES_H

#include "common/error_text.h"
#include "config/config.h"
#include "config/problems.h"

#define SOURCES_DIRECTORY "/etc/sticky" /* the folder of NAME.yaml */

/* An option that was given on the command line. */
struct given_option {
	int key;
	const char *value; /* borrowed from main()'s argv */
};

struct config_sources {
	struct given_option *given; /* in the order of the command line */
	size_t given_count;
	char *const *environment;
	char **command;		  /* the worker's command on the command line; NULL: none */
	char **arguments;	  /* the words of the command line from "start" on, for upgrade */
	struct problems mistakes; /* words of the command line that are no options */
};

/* Add an option of the command line. Returns 0 or -ENOMEM. */
int sources_add(struct config_sources *sources, int key, const char *value);

/* Free the lists of options and of mistakes. */
void sources_fini(struct config_sources *sources);

/* The report of sources_read() on the file: see file_report.h. */
struct file_report;

/*
 * Read all sources: file, environment, command line. A later one overrides the earlier ones. The
 * file is the one that -c names; else SOURCES_DIRECTORY/NAME.yaml, if -n names an instance and the
 * file exists.
 *
 * ret_config  initialized by this call, even if it fails
 * ret_error   what is wrong and where
 *
 * Returns 0, -EINVAL (environment or command line), or an error of config_set_from_file().
 */
int sources_load(const struct config_sources *sources, struct config *ret_config,
		 struct error_text *ret_error);

/*
 * Read all sources, and report all mistakes of all sources. The mistakes of the file come first,
 * and decide which error is returned.
 *
 * ret_config  after -EBADMSG or -EINVAL: all that was understood, and defaults for the rest
 * report      all zero before; freed by the caller, by problems_fini(&report->problems)
 */
int sources_read(const struct config_sources *sources, struct config *ret_config,
		 struct file_report *report);

#endif
