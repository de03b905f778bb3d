/* SPDX-License-Identifier: MIT */
/* The word that was probably meant. Pure. */
#ifndef STICKY_CONFIG_SUGGESTION_H
#define STICKY_CONFIG_SUGGESTION_H

#include <stddef.h>

/*
 * How many letters must be added, left out or replaced, or neighbours exchanged, to make one word
 * of the other? Upper and lower case are the same, and so are '-' and '_'.
 *
 * length  of `text`, in bytes
 *
 * Returns the number; for words of over 32 bytes a number that no near word has.
 */
size_t suggestion_distance(const char *text, size_t length, const char *word);

/* At most this distance is a mistake in typing; a larger one is another word. */
#define SUGGESTION_NEAR 2

#endif
