// SPDX-License-Identifier: MIT
#include "config/misspelt.h"

#include <string.h>

#include "config/suggestion.h"

/* A position in the lists of options. */
struct known {
	const struct argp_option *option;
	const struct argp_option *const *lists; /* from the list of `option` on */
};

static struct known begin(const struct argp_option *const *lists)
{
	return (struct known){.option = *lists, .lists = lists};
}

/* Returns the option at the position, and goes on to the next one; NULL behind the last option. */
static const struct argp_option *next_option(struct known *known)
{
	while (*known->lists && (!known->option || (!known->option->name && !known->option->key &&
						    !known->option->doc)))
		known->option = *++known->lists;
	return known->option ? known->option++ : NULL;
}

static bool takes_value(const struct argp_option *option)
{
	return option->arg && !(option->flags & OPTION_ARG_OPTIONAL);
}

/*
 * Find a long option as getopt() does, by the beginning of its name. If that is ambiguous, getopt()
 * reports it, and any of the options may be returned.
 */
static const struct argp_option *find_long(const struct argp_option *const *lists, const char *name,
					   size_t length)
{
	const struct argp_option *option, *found = NULL;
	struct known known = begin(lists);

	while ((option = next_option(&known))) {
		if (!option->name || strncmp(option->name, name, length) != 0)
			continue;
		if (strlen(option->name) == length)
			return option;
		found = option;
	}
	return found;
}

static const struct argp_option *find_nearest(const struct argp_option *const *lists,
					      const char *name, size_t length)
{
	const struct argp_option *option, *nearest = NULL;
	struct known known = begin(lists);
	size_t best = SUGGESTION_NEAR + 1;

	while ((option = next_option(&known))) {
		size_t distance =
			option->name ? suggestion_distance(name, length, option->name) : best;

		if (distance < best && 2 * distance <= length) {
			best = distance;
			nearest = option;
		}
	}
	return nearest;
}

/*
 * Returns true if the value of the last letter, as in "-vw", is the next word of the command line.
 */
static bool short_wants_next(const struct argp_option *const *lists, const char *letters)
{
	for (; *letters; letters++) {
		const struct argp_option *option;
		struct known known = begin(lists);

		while ((option = next_option(&known)) && option->key != *letters)
			;
		if (!option)
			return false;
		if (takes_value(option))
			return !letters[1];
	}
	return false;
}

static struct misspelt describe(int argc, char **argv, int index,
				const struct argp_option *const *lists)
{
	const char *word = argv[index];
	size_t length = strcspn(word, "=");
	const struct argp_option *nearest = find_nearest(lists, word + 2, length - 2);
	bool has_value = nearest && takes_value(nearest) && !word[length] && index + 1 < argc &&
			 argv[index + 1][0] != '-';

	return (struct misspelt){
		.word = word,
		.nearest = nearest ? nearest->name : NULL,
		.index = index,
		.words = has_value ? 2 : 1,
	};
}

bool misspelt_find(int argc, char **argv, const struct argp_option *const *lists,
		   bool ends_at_argument, struct misspelt *ret_misspelt)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *word = argv[i];
		size_t length = strcspn(word, "=");
		const struct argp_option *option;

		if (!strncmp(word, "--", 2)) {
			option = find_long(lists, word + 2, length - 2);
			if (!option) {
				*ret_misspelt = describe(argc, argv, i, lists);
				return true;
			}
			i += takes_value(option) && !word[length];
		} else if (word[0] == '-' && word[1]) {
			i += short_wants_next(lists, word + 1);
		} else if (ends_at_argument) {
			return false;
		}
	}
	return false;
}
