// SPDX-License-Identifier: MIT
#include "lib/sized.h"

#include <errno.h>
#include <string.h>

static size_t size_of(const void *theirs)
{
	size_t size;

	memcpy(&size, theirs, sizeof(size)); /* the elements of an array may not be aligned */
	return size;
}

/*
 * The size that both sides know. If a size is no multiple of the alignment, it ends within a
 * member, which is then left out.
 */
static size_t common_size(size_t theirs, size_t first, size_t ours)
{
	size_t whole = theirs - theirs % sizeof(size_t);

	if (theirs >= ours)
		return ours;
	return whole > first ? whole : first;
}

int sized_read(const void *theirs, size_t first, size_t ours, void *ret_ours)
{
	const unsigned char *bytes = theirs;
	size_t size = size_of(theirs), i;

	if (size < first)
		return -EINVAL;
	for (i = ours; i < size; i++)
		if (bytes[i])
			return -EINVAL;
	memset(ret_ours, 0, ours);
	memcpy(ret_ours, theirs, common_size(size, first, ours));
	return 0;
}

int sized_write(const void *from, size_t first, size_t ours, void *ret_theirs)
{
	size_t size = size_of(ret_theirs);

	if (size < first)
		return -EINVAL;
	memcpy((char *)ret_theirs + sizeof(size), (const char *)from + sizeof(size),
	       common_size(size, first, ours) - sizeof(size));
	return 0;
}
