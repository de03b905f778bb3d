// SPDX-License-Identifier: MIT
/* Finds workers that are used after their close, in a library that was built for debugging. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/group_internal.h"

#ifdef STICKY_DEBUG

void worker_retire(struct sticky_worker *worker)
{
	struct sticky_group *group = worker->group;

	group_lock(group);
	worker->is_open = false;
	worker->next = group->closed;
	group->closed = worker;
	group_unlock(group);
}

void worker_free_closed(struct sticky_group *group)
{
	while (group->closed) {
		struct sticky_worker *worker = group->closed;

		group->closed = worker->next;
		free(worker);
	}
}

void worker_check(const struct sticky_worker *worker, const char *function)
{
	if (worker->is_open)
		return;
	fprintf(stderr,
		"libsticky: %s() was called with a worker of the slot %u that has been "
		"closed\n",
		function, worker->slot);
	abort();
}

#else

void worker_retire(struct sticky_worker *worker)
{
	free(worker);
}

void worker_free_closed(struct sticky_group *group)
{
	(void)group;
}

void worker_check(const struct sticky_worker *worker, const char *function)
{
	(void)worker;
	(void)function;
}

#endif
