/* SPDX-License-Identifier: MIT */
/* Finds a misspelt option on a command line, and the one that was probably meant. Pure. */
#ifndef STICKY_CONFIG_MISSPELT_H
#define STICKY_CONFIG_MISSPELT_H

#include <argp.h>
#include <stdbool.h>

struct misspelt {
	const char *word;    /* as it stands on the command line */
	const char *nearest; /* the option that was meant, without "--"; NULL: none is near */
	int index;	     /* of the word in argv */
	int words; /* 2: the next word is the value of the option that was meant; else 1 */
};

/*
 * Look for a long option that no list has.
 *
 * argv              argv[0] is not looked at
 * lists             the options, {0} behind the last one of each list; NULL behind the last list
 * ends_at_argument  the first word that is neither an option nor a value ends the options
 *
 * Returns false if there is none. getopt() reports other mistakes.
 */
bool misspelt_find(int argc, char **argv, const struct argp_option *const *lists,
		   bool ends_at_argument, struct misspelt *ret_misspelt);

#endif
