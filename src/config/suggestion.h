/* SPDX-License-Identifier: MIT */
/* Finds the word that was probably meant. Pure. */
#ifndef STICKY_CONFIG_SUGGESTION_H
#define STICKY_CONFIG_SUGGESTION_H

#include <stddef.h>

/*
 * Returns how many letters must be added, left out or replaced, or neighbours exchanged, to make
 * one word of the other. Upper and lower case are the same, and so are '-' and '_'.
 *
 * length  of `text`, in bytes
 *
 * For words of over 32 bytes the result is a number that no near word has.
 */
size_t suggestion_distance(const char *text, size_t length, const char *word);

/* A word at this distance or less is a typing mistake; a larger distance means another word. */
#define SUGGESTION_NEAR 2

#endif
