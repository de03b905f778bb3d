// SPDX-License-Identifier: MIT
#include "guard.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int guard_init(struct guard *guard, size_t room)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (room + page - 1) / page * page;
	char *all = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (all == MAP_FAILED)
		return -errno;
	*guard = (struct guard){.first = all + page, .end = all + page + size, .page = page};
	if (mprotect(guard->first, size, PROT_READ | PROT_WRITE)) {
		int error = -errno;

		guard_fini(guard);
		return error;
	}
	return 0;
}

void guard_fini(struct guard *guard)
{
	if (guard->first)
		munmap(guard->first - guard->page,
		       (size_t)(guard->end - guard->first) + 2 * guard->page);
	*guard = (struct guard){0};
}

static const void *place(const struct guard *guard, char *at, const void *bytes, size_t length)
{
	assert(length <= (size_t)(guard->end - guard->first));
	if (length)
		memcpy(at, bytes, length);
	return at;
}

const void *guard_at_end(struct guard *guard, const void *bytes, size_t length)
{
	return place(guard, guard->end - length, bytes, length);
}

const void *guard_at_start(struct guard *guard, const void *bytes, size_t length)
{
	return place(guard, guard->first, bytes, length);
}
