// SPDX-License-Identifier: MIT
#include "config/suggestion.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define LENGTH_MAX 32

static int letter(char c)
{
	return c == '-' ? '_' : tolower((unsigned char)c);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The optimal string alignment distance, by its usual table. */
size_t suggestion_distance(const char *text, size_t length, const char *word)
{
	size_t table[LENGTH_MAX + 1][LENGTH_MAX + 1], other = strlen(word), i, j;

	if (length > LENGTH_MAX || other > LENGTH_MAX)
		return 2 * LENGTH_MAX;
	for (i = 0; i <= length; i++)
		table[i][0] = i;
	for (j = 0; j <= other; j++)
		table[0][j] = j;
	for (i = 1; i <= length; i++)
		for (j = 1; j <= other; j++) {
			bool same = letter(text[i - 1]) == letter(word[j - 1]);

			table[i][j] = least(table[i - 1][j - 1] + !same,
					    least(table[i - 1][j], table[i][j - 1]) + 1);
			if (i > 1 && j > 1 && letter(text[i - 1]) == letter(word[j - 2]) &&
			    letter(text[i - 2]) == letter(word[j - 1]))
				table[i][j] = least(table[i][j], table[i - 2][j - 2] + 1);
		}
	return table[length][other];
}
