// SPDX-License-Identifier: MIT
#include "common/line_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* A line is in two lists: of all lines, and of its slot. The oldest line is the first of a list. */
struct entry {
	struct ring_line line; /* first, so that line and entry have the same address */
	TAILQ_ENTRY(entry) of_all;
	TAILQ_ENTRY(entry) of_slot;
	char bytes[];
};

TAILQ_HEAD(entries, entry);

struct slot_lines {
	struct entries entries;
	size_t bytes;
	uint64_t count; /* number of lines that were ever added */
};

struct line_ring {
	struct entries entries;
	size_t bytes;
	uint64_t count;
	line_ring_added_fn *added;
	void *context;
	uint32_t slot_count;
	uint32_t used; /* slots that have ever had a line */
	struct slot_lines slots[];
};

static size_t size_of(const struct entry *entry)
{
	return sizeof(*entry) + entry->line.length;
}

static void drop(struct line_ring *ring, struct entry *entry)
{
	struct slot_lines *slot = &ring->slots[entry->line.origin.slot];

	TAILQ_REMOVE(&ring->entries, entry, of_all);
	TAILQ_REMOVE(&slot->entries, entry, of_slot);
	ring->bytes -= size_of(entry);
	slot->bytes -= size_of(entry);
	free(entry);
}

int line_ring_open(uint32_t slot_count, struct line_ring **ret_ring)
{
	struct line_ring *ring = calloc(1, sizeof(*ring) + slot_count * sizeof(ring->slots[0]));
	uint32_t i;

	if (!ring)
		return -ENOMEM;
	ring->slot_count = slot_count;
	TAILQ_INIT(&ring->entries);
	for (i = 0; i < slot_count; i++)
		TAILQ_INIT(&ring->slots[i].entries);
	*ret_ring = ring;
	return 0;
}

void line_ring_close(struct line_ring *ring)
{
	if (!ring)
		return;
	while (!TAILQ_EMPTY(&ring->entries))
		drop(ring, TAILQ_FIRST(&ring->entries));
	free(ring);
}

void line_ring_watch(struct line_ring *ring, line_ring_added_fn *fn, void *context)
{
	ring->added = fn;
	ring->context = context;
}

static struct entry *make_entry(const char *bytes, size_t length)
{
	bool has_end = length && bytes[length - 1] == '\n';
	size_t kept = length - has_end;
	bool is_cut = kept > LINE_RING_LINE_MAX;
	struct entry *entry;

	kept = is_cut ? LINE_RING_LINE_MAX : kept;
	entry = malloc(sizeof(*entry) + kept);
	if (!entry)
		return NULL;
	memcpy(entry->bytes, bytes, kept);
	entry->line = (struct ring_line){
		.is_cut = is_cut, .is_part = !has_end, .length = kept, .bytes = entry->bytes};
	return entry;
}

static void make_room(struct line_ring *ring, struct slot_lines *slot)
{
	size_t share = LINE_RING_MAX / ring->used;

	while (slot->bytes > LINE_RING_SLOT_MAX || slot->bytes > share)
		drop(ring, TAILQ_FIRST(&slot->entries));
	while (ring->bytes > LINE_RING_MAX)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): drop() unlinks it */
		drop(ring, TAILQ_FIRST(&ring->entries));
}

static void append(struct line_ring *ring, struct slot_lines *slot, struct entry *entry)
{
	TAILQ_INSERT_TAIL(&ring->entries, entry, of_all);
	TAILQ_INSERT_TAIL(&slot->entries, entry, of_slot);
	ring->bytes += size_of(entry);
	slot->bytes += size_of(entry);
	make_room(ring, slot);
}

void line_ring_add(struct line_ring *ring, const struct line_origin *origin, uint64_t time_ms,
		   const char *bytes, size_t length)
{
	struct slot_lines *slot = &ring->slots[origin->slot];
	struct entry *entry = make_entry(bytes, length);

	ring->count++;
	ring->used += !slot->count++;
	if (!entry)
		return;
	entry->line.origin = *origin;
	entry->line.number = ring->count;
	entry->line.slot_number = slot->count;
	entry->line.time_ms = time_ms;
	append(ring, slot, entry);
	if (ring->added)
		ring->added(ring->context);
}

/* Returns the previous line in the list of all lines, or in that of the slot. */
static struct entry *before(struct entry *entry, uint32_t slot)
{
	return slot == LINE_RING_ALL ? TAILQ_PREV(entry, entries, of_all)
				     : TAILQ_PREV(entry, entries, of_slot);
}

static struct entry *newest(const struct line_ring *ring, uint32_t slot)
{
	if (slot == LINE_RING_ALL)
		return TAILQ_LAST(&ring->entries, entries);
	return slot < ring->slot_count ? TAILQ_LAST(&ring->slots[slot].entries, entries) : NULL;
}

uint64_t line_ring_last(const struct line_ring *ring, uint32_t slot, uint64_t count)
{
	struct entry *entry = newest(ring, slot), *previous;

	if (!entry || !count)
		return ring->count + 1;
	while (--count && (previous = before(entry, slot)))
		entry = previous;
	return entry->line.number;
}

uint64_t line_ring_count(const struct line_ring *ring, uint32_t slot)
{
	if (slot == LINE_RING_ALL)
		return ring->count;
	return slot < ring->slot_count ? ring->slots[slot].count : 0;
}

/* The search begins at the newest line, as nearly always one of the newest is asked for. */
const struct ring_line *line_ring_from(const struct line_ring *ring, uint32_t slot, uint64_t number)
{
	struct entry *entry = newest(ring, slot), *found = NULL;

	for (; entry && entry->line.number >= number; entry = before(entry, slot))
		found = entry;
	return found ? &found->line : NULL;
}

const struct ring_line *line_ring_next(const struct ring_line *line, uint32_t slot)
{
	const struct entry *entry = (const struct entry *)line;

	entry = slot == LINE_RING_ALL ? TAILQ_NEXT(entry, of_all) : TAILQ_NEXT(entry, of_slot);
	return entry ? &entry->line : NULL;
}
