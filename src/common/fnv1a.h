/* SPDX-License-Identifier: MIT */
/*
 * A hash of texts: FNV-1a. It tells different values apart, but gives no protection against values
 * that are chosen to collide.
 */
#ifndef STICKY_COMMON_FNV1A_H
#define STICKY_COMMON_FNV1A_H

#include <stddef.h>
#include <stdint.h>

#include "common/stringlist.h"

#define TEXTID_BEGIN 0xcbf29ce484222325ull

/* Add `size` bytes to a hash. Returns the new hash. */
uint64_t fnv1a_add_bytes(uint64_t id, const void *bytes, size_t size);

/*
 * Add a text to a hash, with its terminating NUL, so that "ab","c" differs from "a","bc". NULL
 * differs from the empty text.
 */
uint64_t fnv1a_add(uint64_t id, const char *text);

/* Add all texts of a list. */
uint64_t fnv1a_add_list(uint64_t id, const struct string_list *list);

#endif
