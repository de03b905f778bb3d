// SPDX-License-Identifier: MIT
#include "policy/hang_watch.h"

/*
 * Begin to watch anew, as the worker has accepted a connection, or none waits. Returns HANG_ENDED
 * if the worker was hung, else HANG_SAME.
 */
static enum hang_change begin_anew(struct hang_watch *watch, uint64_t now_ms, uint32_t queue)
{
	bool was_hung = watch->is_hung;
	uint64_t accepted = watch->accepted;

	hang_watch_fini(watch);
	watch->accepted = accepted;
	watch->queue = queue;
	watch->waits_since_ms = queue ? now_ms : 0;
	return was_hung ? HANG_ENDED : HANG_SAME;
}

static bool is_late(const struct hang_watch *watch, uint64_t now_ms, uint64_t timeout_ms)
{
	return watch->unmoved_since_ms && now_ms - watch->unmoved_since_ms >= timeout_ms;
}

static enum hang_change judge(struct hang_watch *watch, uint64_t now_ms, uint64_t timeout_ms)
{
	if (watch->is_hung || !timeout_ms || !is_late(watch, now_ms, timeout_ms))
		return HANG_SAME;
	watch->is_hung = true;
	return HANG_BEGAN;
}

enum hang_change hang_watch_queue(struct hang_watch *watch, uint64_t now_ms, uint32_t queue)
{
	if (!watch->waits_since_ms || queue < watch->queue)
		return begin_anew(watch, now_ms, queue);
	watch->queue = queue;
	return HANG_SAME;
}

bool hang_watch_wants_list(const struct hang_watch *watch, uint64_t now_ms, uint64_t timeout_ms)
{
	if (!timeout_ms || !watch->waits_since_ms || watch->waits_since_ms == now_ms)
		return false;
	return hang_watch_is_first_list(watch) || is_late(watch, now_ms, timeout_ms);
}

bool hang_watch_is_first_list(const struct hang_watch *watch)
{
	return !watch->unmoved_since_ms;
}

static void take_first_list(struct hang_watch *watch, uint64_t now_ms, const uint64_t *cookies,
			    size_t count)
{
	if (!count || handshake_set_look(&watch->listed, cookies, count))
		return;
	/*
	 * The list may be longer than the queue: some of its connections then wait elsewhere, at a
	 * dispatcher for example. It is not known which ones these are. But if fewer than the
	 * queue's length are left later, the worker has accepted one.
	 */
	watch->least = count < watch->queue ? count : watch->queue;
	watch->unmoved_since_ms = now_ms;
}

enum hang_change hang_watch_list(struct hang_watch *watch, uint64_t now_ms, uint64_t timeout_ms,
				 const uint64_t *cookies, size_t count)
{
	if (hang_watch_is_first_list(watch)) {
		take_first_list(watch, now_ms, cookies, count);
		return HANG_SAME;
	}
	if (handshake_set_look(&watch->listed, cookies, count))
		return HANG_SAME;
	if (watch->listed.count < watch->least)
		return begin_anew(watch, now_ms, watch->queue);
	return judge(watch, now_ms, timeout_ms);
}

enum hang_change hang_watch_count(struct hang_watch *watch, uint64_t now_ms, uint64_t timeout_ms,
				  uint32_t queue, uint64_t accepted)
{
	enum hang_change change;

	if (!queue || accepted != watch->accepted || !watch->unmoved_since_ms) {
		watch->accepted = accepted;
		change = begin_anew(watch, now_ms, queue);
		watch->unmoved_since_ms = watch->waits_since_ms;
		return change;
	}
	watch->queue = queue;
	return judge(watch, now_ms, timeout_ms);
}

uint64_t hang_watch_age(const struct hang_watch *watch, uint64_t now_ms)
{
	return watch->is_hung ? now_ms - watch->unmoved_since_ms : 0;
}

void hang_watch_fini(struct hang_watch *watch)
{
	handshake_set_fini(&watch->listed);
	*watch = (struct hang_watch){0};
}
