/* SPDX-License-Identifier: MIT */
/* A number that stands for texts: FNV-1a. It tells mistakes apart, not enemies. */
#ifndef STICKY_COMMON_FNV1A_H
#define STICKY_COMMON_FNV1A_H

#include <stddef.h>
#include <stdint.h>

#include "common/stringlist.h"

#define TEXTID_BEGIN 0xcbf29ce484222325ull

uint64_t textid_add_bytes(uint64_t id, const void *bytes, size_t size);

/* A text with its end, so that "ab","c" is not "a","bc". NULL is not the empty text. */
uint64_t textid_add(uint64_t id, const char *text);

uint64_t textid_add_list(uint64_t id, const struct string_list *list);

#endif
