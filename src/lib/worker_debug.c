// SPDX-License-Identifier: MIT
/*
 * Finds workers that are used after their close, and groups that are closed before their workers,
 * in a library that was built for debugging.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/group_internal.h"

#ifdef STICKY_DEBUG

/* Closed workers of all groups. They are kept until the process ends: see worker_check(). */
static struct sticky_worker *_Atomic retired;

void worker_retire(struct sticky_worker *worker)
{
	worker->is_open = false;
	worker->next = atomic_load(&retired);
	while (!atomic_compare_exchange_weak(&retired, &worker->next, worker))
		;
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

void group_check_close(const struct sticky_group *group)
{
	if (group->workers)
		fprintf(stderr,
			"libsticky: sticky_group_close() was called while a worker of the slot %u "
			"is open\n",
			group->workers->slot);
	else if (group->dispatchers)
		fprintf(stderr,
			"libsticky: sticky_group_close() was called while dispatchers are open\n");
	else
		return;
	abort();
}

#else

void worker_retire(struct sticky_worker *worker)
{
	free(worker);
}

void worker_check(const struct sticky_worker *worker, const char *function)
{
	(void)worker;
	(void)function;
}

void group_check_close(const struct sticky_group *group)
{
	(void)group;
}

#endif
