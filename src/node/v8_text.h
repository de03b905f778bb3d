/* SPDX-License-Identifier: MIT */
/* The characters of V8's strings, which are Latin-1, UTF-16 or UTF-8. Pure. */
#ifndef STICKY_NODE_V8_TEXT_H
#define STICKY_NODE_V8_TEXT_H

#include "node/v8_reader.h"

/*
 * Returns the next character of a string and moves *at, which is less than the length. Half of a
 * surrogate pair is returned as it is. -1: the text is no UTF-8.
 */
int32_t v8_next_character(const struct v8_token *string, size_t *at);

/* Write a character as UTF-8, without a NUL. Returns its number of bytes. */
size_t v8_write_utf8(uint32_t character, char ret_bytes[4]);

#endif
