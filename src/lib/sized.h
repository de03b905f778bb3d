/* SPDX-License-Identifier: MIT */
/*
 * Public structures that can grow: their first member, `size`, is the sizeof() of the header that
 * the caller was compiled with. A caller may know fewer members than this library, or more of them.
 *
 * A caller must at least have the members of the structure's first version. The size of that
 * version is given by the last of these members, and never changes: see SIZED_END().
 */
#ifndef STICKY_LIB_SIZED_H
#define STICKY_LIB_SIZED_H

#include <stddef.h>

/* The size of a structure up to and including a member. */
#define SIZED_END(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))

/*
 * Copy a caller's structure. Members that the caller does not know are zero.
 *
 * first  size of the first version
 * ours   size that this library knows
 *
 * Returns 0, or -EINVAL: the structure is smaller than the first version, or a member is set that
 * this library does not know.
 */
int sized_read(const void *theirs, size_t first, size_t ours, void *ret_ours);

/*
 * Fill in a caller's structure: the members that it has, except for its `size`. Members that this
 * library does not know are left alone. Returns 0, or -EINVAL: the structure is smaller than the
 * first version.
 */
int sized_write(const void *from, size_t first, size_t ours, void *ret_theirs);

#endif
