/* SPDX-License-Identifier: MIT */
/* Memory, or the end of the program. */
#ifndef TESTS_CLIENTS_HEAP_H
#define TESTS_CLIENTS_HEAP_H

#include <stddef.h>

/* Zeroed; never NULL, not even of nothing. The caller's to free(). */
void *heap_allocate(size_t count, size_t size);

/* As realloc(3): what is new is not zeroed. */
void *heap_resize(void *memory, size_t count, size_t size);

#endif
