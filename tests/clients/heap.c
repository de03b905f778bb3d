// SPDX-License-Identifier: MIT
#include "heap.h"

#include <stdlib.h>

#include "failure.h"

void *heap_allocate(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		failure_exit("memory");
	return memory;
}

void *heap_resize(void *memory, size_t count, size_t size)
{
	memory = reallocarray(memory, count, size);
	if (!memory)
		failure_exit("memory");
	return memory;
}
