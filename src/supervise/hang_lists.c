// SPDX-License-Identifier: MIT
#include "supervise/hang_lists.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "listen/listeners.h"
#include "policy/hang_watch.h"
#include "procfs/process_state.h"
#include "supervise/supervise_internal.h"
#include "listen/waiting_list.h"

struct worker *hang_watched(const struct supervisor *supervisor, uint32_t slot)
{
	struct worker *worker = supervisor->slots[slot]->current;

	return worker && worker->hang && worker->state == WORKER_READY ? worker : NULL;
}

static uint64_t timeout_of(const struct supervisor *supervisor)
{
	return supervisor->config->timing.hang_timeout_ms;
}

static void note_cpu(struct worker *worker, uint64_t now_ms)
{
	struct process_state state = {0};

	(void)process_state_read(pid_of(worker), &state);
	worker->hang->cpu_ms = state.cpu_ms;
	worker->hang->cpu_at_ms = now_ms;
}

static bool wants_list(const struct supervisor *supervisor, const struct worker *worker,
		       uint64_t now_ms)
{
	uint32_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++)
		if (hang_watch_wants_list(&worker->hang->sockets[i].watch, now_ms,
					  timeout_of(supervisor)))
			return true;
	return false;
}

static bool one_wants_list(const struct supervisor *supervisor, uint64_t now_ms)
{
	const struct worker *worker;
	uint32_t i;

	for (i = 0; i < supervisor->slot_count; i++) {
		worker = hang_watched(supervisor, i);
		if (worker && wants_list(supervisor, worker, now_ms))
			return true;
	}
	return false;
}

static void compare_with_list(const struct supervisor *supervisor, struct worker *worker,
			      uint64_t now_ms, const uint16_t *ports,
			      const struct waiting_list *list, uint64_t *cookies)
{
	uint64_t timeout_ms = timeout_of(supervisor);
	bool is_first;
	size_t count;
	uint32_t i;

	for (i = 0; i < STICKY_LISTENERS_LIMIT; i++) {
		struct hang_watch *watch = &worker->hang->sockets[i].watch;

		if (!hang_watch_wants_list(watch, now_ms, timeout_ms))
			continue;
		is_first = hang_watch_is_first_list(watch);
		if (is_first)
			note_cpu(worker, now_ms);
		count = waiting_list_select(list, worker->slot->index, is_first ? ports[i] : 0,
					    cookies);
		hang_watch_list(watch, now_ms, timeout_ms, cookies, count);
	}
}

static void compare_all(const struct supervisor *supervisor, uint64_t now_ms,
			const struct waiting_list *list)
{
	uint64_t *cookies = malloc((list->count + 1) * sizeof(*cookies));
	uint16_t ports[STICKY_LISTENERS_LIMIT] = {0};
	struct worker *worker;
	uint32_t i;

	listen_ports(supervisor->options.group, ports);
	for (i = 0; cookies && i < supervisor->slot_count; i++) {
		worker = hang_watched(supervisor, i);
		if (worker)
			compare_with_list(supervisor, worker, now_ms, ports, list, cookies);
	}
	free(cookies);
}

void hang_lists_look(const struct supervisor *supervisor, uint64_t now_ms, bool *has_failed)
{
	struct waiting_list list;
	int error;

	if (!one_wants_list(supervisor, now_ms))
		return;
	error = waiting_list_read(supervisor->options.group, &list);
	if (error && !*has_failed)
		report(STICKY_LOG_WARN, "waiting_not_listed",
		       "error=\"%s\" so=\"workers that accept nothing are not noticed\"",
		       strerror(-error));
	*has_failed = error != 0;
	if (!error)
		compare_all(supervisor, now_ms, &list);
	waiting_list_fini(&list);
}
