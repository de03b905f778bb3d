/* SPDX-License-Identifier: MIT */
/* The table of options: one row serves the file, the environment and the command line. */
#ifndef STICKY_CONFIG_OPTIONS_H
#define STICKY_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
	KIND_TEXT,
	KIND_NAME, /* an instance's name */
	KIND_LIST,
	KIND_RANGES,	  /* a list of CIDR or @FILE */
	KIND_TOKEN,	  /* a header's name */
	KIND_WORKER,	  /* how workers get their sockets */
	KIND_FILES,	  /* a list of file names that adds up */
	KIND_ASSIGNMENTS, /* a list of NAME=VALUE */
	KIND_NUMBER,
	KIND_TIME,
	KIND_SIZE,
	KIND_RATE,
	KIND_CHOICE
};

/* When another value takes effect. */
enum option_change {
	CHANGES_AT_RELOAD,
	CHANGES_AT_TAKEOVER, /* a new controller has it, one that runs can't */
	CHANGES_AT_START     /* it is built into what workers and kernel have */
};

/* One option, as a user sees it. */
struct option_doc {
	const char *name; /* long option */
	int key;	  /* short option, or a number above 255 */
	const char *arg;  /* what follows it, in help */
	const char *doc;
	bool every_command; /* -n, --run-dir: all commands take it, not just start */
};

struct config_option {
	struct option_doc doc;
	enum option_kind kind;
	size_t offset; /* in struct config */
	uint64_t min, max;
	const char *choices; /* "auto notify started", in the order of the enum */
	enum option_change change;
};

/* The option of an index from 0 on; NULL behind the last one. */
const struct config_option *option_at(size_t index);

/* NULL: there is none. */
const struct config_option *option_by_key(int key);

/*
 * By its name as another source writes it, with '_' for '-'.
 *
 * spell  toupper for variables of the environment, tolower for the file
 *
 * NULL: there is none.
 */
const struct config_option *option_by_spelling(const char *text, size_t length, int (*spell)(int));

/* Is its member a text of its own? */
bool option_is_text(const struct config_option *option);

/* Can it be given more than once? */
bool option_is_list(const struct config_option *option);

#endif
