/* SPDX-License-Identifier: MIT */
/* Allocates memory, or ends the program. */
#ifndef TESTS_CLIENTS_HEAP_H
#define TESTS_CLIENTS_HEAP_H

#include <stddef.h>

/*
 * Allocate zeroed memory. The result is never NULL, even for a size of 0. The caller must free()
 * it.
 */
void *heap_allocate(size_t count, size_t size);

/* Resize memory, as realloc(3) does. New memory is not zeroed. */
void *heap_resize(void *memory, size_t count, size_t size);

#endif
