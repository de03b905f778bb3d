/* SPDX-License-Identifier: MIT */
/* The table of options: one row serves the file, the environment and the command line. */
#ifndef STICKY_CONFIG_OPTIONS_H
#define STICKY_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
	KIND_TEXT,
	KIND_NAME, /* the name of an instance */
	KIND_ADDRESSES,
	KIND_RANGES,	  /* a list of CIDR or @FILE */
	KIND_TOKEN,	  /* the name of a header field */
	KIND_WORKER,	  /* a value of --worker */
	KIND_ADMIN,	  /* see admin_address_problem() */
	KIND_FILES,	  /* a list of file names; each source adds to it */
	KIND_ASSIGNMENTS, /* a list of NAME=VALUE; each source adds to it */
	KIND_NUMBER,
	KIND_TIME,
	KIND_SIZE,
	KIND_RATE,
	KIND_CHOICE,
	KIND_FLAG /* no or yes; on the command line the name alone means yes */
};

/* When a changed value takes effect. */
enum option_change {
	CHANGES_AT_RELOAD,
	CHANGES_AT_TAKEOVER, /* when another controller takes over, but not at a reload */
	/* only when the instance starts: workers and kernel depend on the value */
	CHANGES_AT_START
};

/* The name of an option and its help text. */
struct option_doc {
	const char *name; /* the long option, without "--" */
	int key;	  /* the short option's letter, or a number above 255 */
	const char *arg;  /* the name of its value in the help text; NULL: a KIND_FLAG */
	const char *doc;
	bool every_command; /* all commands have it (-n, --run-dir), not only start */
};

struct config_option {
	struct option_doc doc;
	enum option_kind kind;
	size_t offset; /* offset of its member in struct config */
	uint64_t min, max;
	const char *choices; /* "auto notify started": the choices, in the order of the enum */
	enum option_change change;
};

#define OPTIONS_LIMIT 128 /* the table is shorter than this */

/* Returns the option at an index, which counts from 0; NULL behind the last one. */
const struct config_option *option_at(size_t index);

/* Returns the index of an option of the table. */
size_t option_index(const struct config_option *option);

/* Returns the option of this long name, or NULL. */
const struct config_option *option_by_name(const char *name);

/* Returns the option with this key, or NULL. */
const struct config_option *option_by_key(int key);

/*
 * Find an option by its name as another source spells it, with '_' instead of '-'.
 *
 * length  of `text`, in bytes
 * spell   toupper for variables of the environment, tolower for the file
 *
 * Returns the option, or NULL.
 */
const struct config_option *option_by_spelling(const char *text, size_t length, int (*spell)(int));

#define OPTION_SPELLED_SIZE 64

/* Write the option's name as the configuration file has it, with '_' in the place of '-'. */
void option_spell(const struct config_option *option, char ret_name[OPTION_SPELLED_SIZE]);

/*
 * Find the option whose name is nearest to a word that is not the name of any: see suggestion.h.
 *
 * length  of `text`, in bytes
 *
 * Returns NULL if none is near.
 */
const struct config_option *option_nearest(const char *text, size_t length);

/* Returns true if the option's member is a text that is allocated for it. */
bool option_is_text(const struct config_option *option);

/* Returns true if the option can be given more than once. */
bool option_is_list(const struct config_option *option);

#endif
