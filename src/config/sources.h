/* SPDX-License-Identifier: MIT */
/* Where a configuration comes from, so that it can be read again while an instance runs. */
#ifndef STICKY_CONFIG_SOURCES_H
#define STICKY_CONFIG_SOURCES_H

#include "config/config.h"

#define SOURCES_DIRECTORY "/etc/sticky" /* of NAME.yaml */

/* An option of the command line. */
struct given_option {
	int key;
	const char *value; /* borrowed from main()'s argv */
};

struct config_sources {
	struct given_option *given; /* in their order */
	size_t given_count;
	char *const *environment;
	char **command;	  /* of the command line; NULL: none */
	char **arguments; /* how start was called, from "start" on, for upgrade */
};

/* Add an option of the command line. Returns 0 or -ENOMEM. */
int sources_add(struct config_sources *sources, int key, const char *value);

void sources_fini(struct config_sources *sources);

/*
 * Read them all: file, environment, command line; later wins. The file is the one that -c names,
 * or SOURCES_DIRECTORY/NAME.yaml where -n names an instance and it exists.
 *
 * ret_config  initialized by this, also where it fails
 * ret_error   what is wrong and where, CONFIG_ERROR_SIZE bytes
 *
 * Returns 0, -EINVAL (environment or command line), or as config_set_from_file().
 */
int sources_load(const struct config_sources *sources, struct config *ret_config, char *ret_error);

#endif
