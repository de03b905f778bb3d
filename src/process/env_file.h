/* SPDX-License-Identifier: MIT */
/*
 * The text of an --env-file, as the dotenv packages write it. Pure.
 *
 *     # a comment                          an empty line is passed over, too
 *     export NAME=VALUE                    `export` may be there
 *     NAME=two words # a comment           trimmed; the comment begins behind white space
 *     NAME='as it is, # and all'           may have several lines
 *     NAME="a \"word\"\n"                  \n \r \t \" \\ and \$ are replaced; several lines
 *
 * Variables in a value ($HOME) are not replaced.
 */
#ifndef STICKY_PROCESS_ENV_FILE_H
#define STICKY_PROCESS_ENV_FILE_H

#include <stddef.h>

/*
 * Receive one assignment; the assignments come in the order of the text. Returns 0 to go on, or
 * -errno to end the parsing.
 */
typedef int env_file_fn(void *context, const char *name, const char *value);

struct env_file_problem {
	unsigned int line; /* from 1 on */
	const char *what;  /* static; NULL: the text is correct */
};

/*
 * Parse a text.
 *
 * text         `length` bytes and a NUL behind them; changed in place
 * ret_problem  set to the problem of the text where -EINVAL is returned
 *
 * Returns 0, -EINVAL, or the -errno that fn() returned. fn() has already received the assignments
 * before a wrong line.
 */
int env_file_parse(char *text, size_t length, env_file_fn *fn, void *context,
		   struct env_file_problem *ret_problem);

#endif
