/* SPDX-License-Identifier: MIT */
/*
 * Places clients, by their hash, at workers in four ways. All start from the same hash, ours. They
 * differ only in which clients are moved when a worker is added.
 */
#ifndef STICKY_BENCH_PLACING_H
#define STICKY_BENCH_PLACING_H

#include <stdint.h>

enum placing_kind {
	PLACING_TABLE, /* ours: src/engine/table.h */
	PLACING_MODULO,
	/*
	 * Thaler and Ravishankar 1998: the worker with the highest weight for this client. Each
	 * client needs a look at every worker.
	 */
	PLACING_RENDEZVOUS,
	/* Eisenbud et al., NSDI 2016, section 3.4 */
	PLACING_MAGLEV,
	PLACING_COUNT
};

extern const char *const placing_names[PLACING_COUNT];

/*
 * Place clients.
 *
 * hashes     `count` elements
 * workers    1 to STICKY_SLOTS_MAX
 * ret_slots  `count` elements
 */
void placing_place(enum placing_kind kind, const uint32_t *hashes, uint32_t count, uint32_t workers,
		   uint16_t *ret_slots);

#endif
