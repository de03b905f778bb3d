/* SPDX-License-Identifier: MIT */
/*
 * Writes the table, bucket -> slot, as JSON:
 *
 *	{"buckets":65536,"slots":4,"intervals":[[0,0],[13107,1],...]}
 *
 * Each interval is its first bucket and the slot, and ends where the next one begins. Pure.
 */
#ifndef STICKY_API_BUCKET_MAP_H
#define STICKY_API_BUCKET_MAP_H

#include <stdint.h>

/*
 * Returns the text, to be freed by the caller; NULL: out of memory. It has at most one interval for
 * each bucket, and is then shorter than 1 MB.
 *
 * table  STICKY_BUCKET_COUNT elements: see sticky_group_table()
 */
char *bucket_map_json(uint32_t slots, const uint16_t *table);

#endif
