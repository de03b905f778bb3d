// SPDX-License-Identifier: MIT
#include "supervise/handshake_wait.h"

#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/timer.h"
#include "procfs/sockdiag.h"
#include "policy/handshake_set.h"
#include "listen/listeners.h"
#include "supervise/slot_handover.h"
#include "supervise/supervise_internal.h"
#include "supervise/worker_channel.h"

/*
 * Time until the first look. A SYN that was being handled while the slot changed hands is in the
 * list of handshakes by then.
 */
#define FIRST_LOOK_MS 5
#define LOOK_MS	      10
/*
 * A look at many connections takes long. The next look is delayed so that all looks together need
 * at most a tenth of a CPU.
 */
#define REST_FACTOR 10
#define LOOK_MAX_MS 200
/* Time for requests of connections that were accepted: see handshake_wait.h. */
#define SERVE_MS 500
/*
 * If there are more handshakes than this, as in a flood of SYNs, the worker waits for the whole
 * --handshake-grace.
 */
#define HANDSHAKES_MAX 65536

/*
 * In a stop, time for a worker to accept a connection if all clients that wait have closed their
 * half. Most of them have gone; a few still read an answer.
 */
#define CLOSED_MS 1000

struct entry {
	struct entry *next;
	struct worker *worker;
	uint64_t since_ms;
	uint64_t accepted_ms; /* when the last handshake was seen to be over; at first since_ms */
	struct handshake_set handshakes;
	uint32_t queue;	   /* connections that waited for the worker at the last look */
	uint64_t moved_ms; /* when the queue was last seen to become shorter; at first since_ms */
	/* the worker has sockets that can have handshakes; else connections are passed to it */
	bool has_sockets;
};

struct handshake_wait {
	struct supervisor *supervisor;
	struct event *timer;
	struct entry *entries;
	bool is_connected; /* at the last look a connection was open, or the look failed */
	bool is_waited;	   /* at the last look a client waited that had closed nothing; the same */
};

static void entry_free(struct entry *entry)
{
	handshake_set_fini(&entry->handshakes);
	free(entry);
}

/*
 * Returns true if no other worker gets this worker's queue: in a stop, or if the workers share
 * sockets and the slot was removed.
 */
static bool is_last(const struct worker *worker)
{
	return supervisor_of(worker)->stopping ||
	       (worker->slot->mode == SLOT_REMOVED &&
		supervisor_shares_sockets(supervisor_of(worker)));
}

/* Returns the number of connections that wait for a worker which must serve them, as no other can.
 */
static uint32_t queue_to_serve(const struct worker *worker)
{
	if (!is_last(worker) || !worker->sockets)
		return 0;
	return (uint32_t)sticky_worker_queue(worker->sockets) + worker_channel_queue(worker);
}

/*
 * Returns the time that a worker has for each connection of its queue, counted from when it has
 * accepted the previous one. A worker that takes longer is hung, by the same rule as at other
 * times.
 */
static uint64_t patience_ms(const struct handshake_wait *wait, const struct worker *worker)
{
	uint64_t timeout_ms = wait->supervisor->config->timing.hang_timeout_ms;

	if (!timeout_ms) /* no worker counts as hung */
		timeout_ms = UINT64_MAX;
	return wait->is_waited || worker_channel_queue(worker) || timeout_ms < CLOSED_MS
		       ? timeout_ms
		       : CLOSED_MS;
}

/*
 * Returns true if the worker must serve its queue because no other worker gets it, and if it can be
 * expected to. It has the hard-shutdown delay for that.
 */
static bool has_queue_to_serve(const struct handshake_wait *wait, const struct entry *entry)
{
	const struct supervisor *supervisor = wait->supervisor;
	uint64_t now_ms = clock_ms(), since_ms = entry->since_ms;

	if (supervisor->stopping)
		since_ms = supervisor->stop_at_ms;
	return queue_to_serve(entry->worker) && !entry->worker->was_hung &&
	       now_ms - entry->moved_ms < patience_ms(wait, entry->worker) &&
	       now_ms < since_ms + supervisor->config->timing.hard_shutdown_delay_ms;
}

/*
 * Returns true if new connections come to the worker until it closes its sockets, which it shares
 * with the slot's next worker. Such a worker need not wait: no handshake is lost when it closes its
 * descriptors, and the sooner it is asked to stop, the fewer connections it gets.
 */
static bool goes_on_receiving(const struct worker *worker)
{
	const struct supervisor *supervisor = supervisor_of(worker);
	const struct worker *current = worker->slot->current;
	bool has_successor = current && current != worker && current->has_slot;

	return supervisor_shares_sockets(supervisor) && !is_last(worker) &&
	       (has_successor || supervisor->config->waiting.when_down != WHEN_DOWN_SPILL);
}

static bool is_over(const struct handshake_wait *wait, const struct entry *entry)
{
	uint32_t grace_ms = wait->supervisor->config->reload.handshake_grace_ms;
	uint64_t now_ms = clock_ms(), waited_ms = now_ms - entry->since_ms;

	if (waited_ms < grace_ms) {
		if (waited_ms < FIRST_LOOK_MS ||
		    (wait->is_connected && now_ms - entry->accepted_ms < SERVE_MS))
			return false;
		if (entry->has_sockets && !handshake_set_is_over(&entry->handshakes))
			return false;
	}
	return !has_queue_to_serve(wait, entry);
}

static void take_into_account(struct entry *entry, const uint64_t *cookies, size_t count)
{
	size_t left = entry->handshakes.count;

	/* If memory is short, this look is ignored. */
	(void)handshake_set_look(&entry->handshakes, cookies, count);
	if (entry->handshakes.count < left)
		entry->accepted_ms = clock_ms();
}

static void look_at_handshakes(struct handshake_wait *wait, const uint16_t *ports,
			       size_t port_count)
{
	uint64_t *cookies = NULL, now_ms = clock_ms();
	long count = sockdiag_handshakes(ports, port_count, HANDSHAKES_MAX, &cookies);
	struct entry *entry;

	for (entry = wait->entries; entry && count >= 0; entry = entry->next)
		if (entry->has_sockets && now_ms - entry->since_ms >= FIRST_LOOK_MS)
			take_into_account(entry, cookies, (size_t)count);
	free(cookies);
}

static void look_at_queues(struct handshake_wait *wait)
{
	struct entry *entry;
	uint32_t queue;

	for (entry = wait->entries; entry; entry = entry->next) {
		queue = queue_to_serve(entry->worker);
		if (queue < entry->queue)
			entry->moved_ms = clock_ms();
		entry->queue = queue;
	}
}

/*
 * Look at the handshakes that are left, then at the connections: a handshake that ends between both
 * looks is seen as a connection. If a look fails, the worker waits for the whole time.
 */
static void look(struct handshake_wait *wait)
{
	uint16_t ports[STICKY_LISTENERS_LIMIT];
	size_t port_count = listen_ports(wait->supervisor->options.group, ports);

	look_at_handshakes(wait, ports, port_count);
	wait->is_connected = sockdiag_is_connected(ports, port_count) != 0;
	wait->is_waited = wait->supervisor->stopping && sockdiag_is_waited(ports, port_count) != 0;
	look_at_queues(wait);
}

static struct entry *take_one_that_is_over(struct handshake_wait *wait)
{
	struct entry **link = &wait->entries, *entry;

	while ((entry = *link) && !is_over(wait, entry))
		link = &entry->next;
	if (entry)
		*link = entry->next;
	return entry;
}

static void end_those_that_are_over(struct handshake_wait *wait)
{
	struct entry *entry;

	while ((entry = take_one_that_is_over(wait))) {
		struct worker *worker = entry->worker;

		entry_free(entry);
		worker_apply(worker, WORKER_HANDSHAKES_OVER);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct handshake_wait *wait = context;
	uint64_t begun_ms = clock_ms(), rest_ms;

	(void)fd;
	(void)what;
	look(wait);
	rest_ms = (clock_ms() - begun_ms) * REST_FACTOR;
	end_those_that_are_over(wait);
	if (!wait->entries)
		return;
	rest_ms = rest_ms < LOOK_MS ? LOOK_MS : rest_ms;
	timer_start(wait->timer, rest_ms > LOOK_MAX_MS ? LOOK_MAX_MS : rest_ms);
}

int handshake_wait_open(struct supervisor *supervisor, struct handshake_wait **ret_wait)
{
	struct handshake_wait *wait = calloc(1, sizeof(*wait));

	if (!wait)
		return -ENOMEM;
	wait->supervisor = supervisor;
	wait->timer = evtimer_new(supervisor->options.base, on_timer, wait);
	if (!wait->timer) {
		free(wait);
		return -ENOMEM;
	}
	*ret_wait = wait;
	return 0;
}

void handshake_wait_close(struct handshake_wait *wait)
{
	struct entry *entry;

	if (!wait)
		return;
	while ((entry = wait->entries)) {
		wait->entries = entry->next;
		entry_free(entry);
	}
	event_free(wait->timer);
	free(wait);
}

/*
 * Returns true if a worker's sockets may have handshakes. Those of an adopted worker are open only
 * in its process, and may have handshakes, too.
 */
static bool may_have_handshakes(const struct worker *worker)
{
	return !worker->sockets || worker_has_sockets(worker);
}

void handshake_wait_begin(struct handshake_wait *wait, struct worker *worker)
{
	struct entry *entry = NULL;
	uint64_t now_ms = clock_ms();

	if (!goes_on_receiving(worker) &&
	    (wait->supervisor->config->reload.handshake_grace_ms || queue_to_serve(worker)))
		entry = calloc(1, sizeof(*entry));
	if (!entry) {
		worker_apply(worker, WORKER_HANDSHAKES_OVER);
		return;
	}
	*entry = (struct entry){.next = wait->entries,
				.worker = worker,
				.since_ms = now_ms,
				.accepted_ms = now_ms,
				.queue = queue_to_serve(worker),
				.moved_ms = now_ms,
				.has_sockets = may_have_handshakes(worker)};
	if (!wait->entries)
		timer_start(wait->timer, FIRST_LOOK_MS);
	wait->entries = entry;
}

void handshake_wait_cancel(struct handshake_wait *wait, const struct worker *worker)
{
	struct entry **link = &wait->entries, *entry;

	while ((entry = *link) && entry->worker != worker)
		link = &entry->next;
	if (!entry)
		return;
	*link = entry->next;
	entry_free(entry);
}
