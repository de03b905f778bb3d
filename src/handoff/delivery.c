// SPDX-License-Identifier: MIT
#include "handoff/delivery.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/timer.h"

/* With a smaller budget a client may not have had the time to say its first word. */
#define PATIENT_BELOW_MS 1000
#define PATIENCE_MS	 150
#define GONE_BATCH	 64
#define RETRY_MIN_MS	 10

/* One connection. There may be tens of thousands: it is kept small. */
struct passed {
	TAILQ_ENTRY(passed) in_slot;  /* waiting for it, or on the way to its worker */
	TAILQ_ENTRY(passed) in_order; /* while it waits: by the time at which it began to */
	STAILQ_ENTRY(passed) in_intake;
	struct delivery_item item;
	uint32_t slot;
	uint32_t id; /* with which it was sent last; 0: never */
	uint64_t since_ms;
	bool is_watched; /* in the set of those who may go away */
};

TAILQ_HEAD(passed_list, passed);
STAILQ_HEAD(passed_queue, passed);

struct passing_slot {
	struct outlet *present; /* NULL: nobody has it */
	struct passed_list waiting;
	uint32_t waiting_count;
};

struct outlet {
	struct delivery *delivery;
	const struct outlet_ops *ops;
	void *context;
	uint32_t slot;
	uint32_t limit;
	uint32_t count; /* on the way */
	bool is_blocked;
	struct event *retry; /* where nobody tells that it can be sent to again */
	struct passed_list on_the_way;
};

struct delivery {
	struct delivery_options options;
	struct delivery_limits limits;
	struct passing_slot slots[STICKY_SLOTS_LIMIT];
	struct passed_list homeless; /* wait for a slot that nobody has: their time runs */
	struct passed_list busy;     /* wait for a worker that has enough at the moment */
	uint32_t waiting;
	bool has_given_up; /* no worker will come */
	uint32_t next_id;
	struct event *expiry; /* of the first homeless one */
	int gone_fd;	      /* epoll: those of whom only the end is of interest */
	struct event *gone;
	/* The intake, for other threads. */
	pthread_mutex_t lock;
	struct passed_queue intake;
	int intake_fd; /* eventfd */
	struct event *arrival;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t budget_ms(const struct delivery *delivery)
{
	return (uint64_t)delivery->limits.retries * delivery->limits.delay_ms;
}

static uint32_t slot_of(const struct delivery *delivery, const struct delivery_item *item)
{
	struct sticky_where where = {.size = sizeof(where)};

	/* Only addresses come in here: it can't fail. */
	if (sticky_group_where(delivery->options.group, &item->client.any, &where))
		return 0;
	return where.slot;
}

/* ---- Those who wait ------------------------------------------------------------------ */

/* Only an error or a hang-up is told of: a client that closed its half waits for the answer. */
static void watch(struct delivery *delivery, struct passed *passed)
{
	struct epoll_event event = {.events = 0, .data.ptr = passed};

	if (!passed->is_watched)
		passed->is_watched =
			epoll_ctl(delivery->gone_fd, EPOLL_CTL_ADD, passed->item.fd, &event) == 0;
}

/* By hand: the description lives on in the worker when our descriptor is closed. */
static void unwatch(struct delivery *delivery, struct passed *passed)
{
	if (passed->is_watched)
		epoll_ctl(delivery->gone_fd, EPOLL_CTL_DEL, passed->item.fd, NULL);
	passed->is_watched = false;
}

static void set_expiry(struct delivery *delivery)
{
	const struct passed *first = TAILQ_FIRST(&delivery->homeless);
	uint64_t now = now_ms(), due;

	if (!first) {
		event_del(delivery->expiry);
		return;
	}
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): TAILQ_REMOVE() comes before each free() */
	due = first->since_ms + budget_ms(delivery);
	timer_start(delivery->expiry, due > now ? due - now : 0);
}

static struct passed_list *order_of(struct delivery *delivery, uint32_t slot)
{
	return delivery->slots[slot].present ? &delivery->busy : &delivery->homeless;
}

/* To the head of the line, behind those who were given back as well, and were sent before it. */
static void give_back(struct passing_slot *slot, struct passed *passed)
{
	struct passed *next = TAILQ_FIRST(&slot->waiting);

	while (next && next->id && (int32_t)(next->id - passed->id) < 0)
		next = TAILQ_NEXT(next, in_slot);
	if (next)
		TAILQ_INSERT_BEFORE(next, passed, in_slot);
	else
		TAILQ_INSERT_TAIL(&slot->waiting, passed, in_slot);
}

static void begin_to_wait(struct delivery *delivery, struct passed *passed, bool first)
{
	struct passing_slot *slot = &delivery->slots[passed->slot];
	struct passed_list *order = order_of(delivery, passed->slot);
	bool was_empty = TAILQ_EMPTY(order);

	passed->since_ms = now_ms();
	if (first)
		give_back(slot, passed);
	else
		TAILQ_INSERT_TAIL(&slot->waiting, passed, in_slot);
	TAILQ_INSERT_TAIL(order, passed, in_order);
	slot->waiting_count++;
	delivery->waiting++;
	watch(delivery, passed);
	if (was_empty && order == &delivery->homeless)
		set_expiry(delivery);
}

/* How often a slot would have been looked at in vain meanwhile. */
static void count_retries(struct delivery *delivery, const struct passed *passed)
{
	uint64_t waited = now_ms() - passed->since_ms;

	if (delivery->limits.delay_ms && !delivery->slots[passed->slot].present)
		delivery->options.counters->retried += waited / delivery->limits.delay_ms;
}

static void end_to_wait(struct delivery *delivery, struct passed *passed)
{
	struct passing_slot *slot = &delivery->slots[passed->slot];

	count_retries(delivery, passed);
	TAILQ_REMOVE(&slot->waiting, passed, in_slot);
	TAILQ_REMOVE(order_of(delivery, passed->slot), passed, in_order);
	slot->waiting_count--;
	delivery->waiting--;
}

/* ---- The answer that the worker is away ------------------------------------------------ */

static void give_answer(struct delivery *delivery, struct passed *passed)
{
	uint64_t budget = budget_ms(delivery);

	end_to_wait(delivery, passed);
	unwatch(delivery, passed);
	++delivery->options.counters->answered;
	answer_unavailable(delivery->options.base, passed->item.fd, delivery->limits.answer,
			   1 + (unsigned int)(budget / 1000),
			   budget < PATIENT_BELOW_MS ? PATIENCE_MS : 0);
	free(passed);
}

static void on_expiry(evutil_socket_t fd, short what, void *context)
{
	struct delivery *delivery = context;
	uint64_t now = now_ms(), budget = budget_ms(delivery);
	struct passed *first;

	(void)fd;
	(void)what;
	while ((first = TAILQ_FIRST(&delivery->homeless)) && first->since_ms + budget <= now)
		give_answer(delivery, first);
	set_expiry(delivery);
}

/* The oldest goes: it has waited the longest, and will soonest be back. */
static void keep_to_the_limit(struct delivery *delivery)
{
	while (delivery->waiting > delivery->limits.max_held) {
		struct passed *oldest = TAILQ_FIRST(&delivery->homeless);

		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the same */
		give_answer(delivery, oldest ? oldest : TAILQ_FIRST(&delivery->busy));
	}
}

/* ---- Clients that go away --------------------------------------------------------------- */

static void on_gone(evutil_socket_t fd, short what, void *context)
{
	struct delivery *delivery = context;
	struct epoll_event events[GONE_BATCH];
	int count = epoll_wait(fd, events, GONE_BATCH, 0), i;

	(void)what;
	for (i = 0; i < count; i++) {
		struct passed *passed = events[i].data.ptr;

		end_to_wait(delivery, passed);
		unwatch(delivery, passed);
		++delivery->options.counters->client_gone;
		close(passed->item.fd);
		free(passed);
	}
}

/* ---- Passing on -------------------------------------------------------------------------- */

static void try_later(struct outlet *outlet)
{
	uint32_t delay_ms = outlet->delivery->limits.delay_ms;

	if (delay_ms < RETRY_MIN_MS)
		delay_ms = RETRY_MIN_MS;
	outlet->is_blocked = true;
	timer_start(outlet->retry, delay_ms);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	outlet_resume(context);
}

/* Returns false where the outlet takes no more at the moment. */
static bool pass_on(struct outlet *outlet, struct passed *passed)
{
	struct delivery *delivery = outlet->delivery;
	int error;

	if (outlet->is_blocked || outlet->count >= outlet->limit)
		return false;
	delivery->next_id += delivery->next_id == UINT32_MAX ? 2 : 1; /* 0 is nobody's */
	error = outlet->ops->send(outlet->context, delivery->next_id, &passed->item);
	if (error == -ENOBUFS) {
		try_later(outlet);
		return false;
	}
	/* A worker that can't be reached any more is about to end: its successor gets them. */
	if (error) {
		outlet->is_blocked = true;
		return false;
	}
	passed->id = delivery->next_id;
	TAILQ_INSERT_TAIL(&outlet->on_the_way, passed, in_slot);
	outlet->count++;
	return true;
}

static void pump(struct delivery *delivery, uint32_t slot)
{
	struct passing_slot *state = &delivery->slots[slot];
	struct passed *first;

	while (state->present && (first = TAILQ_FIRST(&state->waiting))) {
		if (state->present->is_blocked || state->present->count >= state->present->limit)
			return;
		end_to_wait(delivery, first);
		unwatch(delivery, first);
		if (!pass_on(state->present, first))
			begin_to_wait(delivery, first, true);
	}
}

/* It has no place yet. At once to the worker, unless others wait for it already. */
static void place(struct delivery *delivery, struct passed *passed, bool first)
{
	struct passing_slot *slot;

	passed->slot = slot_of(delivery, &passed->item);
	slot = &delivery->slots[passed->slot];
	if (slot->present && TAILQ_EMPTY(&slot->waiting) && pass_on(slot->present, passed))
		return;
	begin_to_wait(delivery, passed, first);
	if (delivery->has_given_up && !slot->present)
		give_answer(delivery, passed);
	keep_to_the_limit(delivery);
}

static void on_arrival(evutil_socket_t fd, short what, void *context)
{
	struct delivery *delivery = context;
	struct passed_queue arrived = STAILQ_HEAD_INITIALIZER(arrived);
	struct passed *passed;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0 && errno == EAGAIN)
		return;
	pthread_mutex_lock(&delivery->lock);
	STAILQ_CONCAT(&arrived, &delivery->intake);
	pthread_mutex_unlock(&delivery->lock);
	while ((passed = STAILQ_FIRST(&arrived))) {
		STAILQ_REMOVE_HEAD(&arrived, in_intake);
		place(delivery, passed, false);
	}
}

void delivery_take_in(struct delivery *delivery)
{
	on_arrival(delivery->intake_fd, EV_READ, delivery);
}

static void answer_homeless(struct delivery *delivery)
{
	struct passed *first;

	while ((first = TAILQ_FIRST(&delivery->homeless)))
		give_answer(delivery, first);
	set_expiry(delivery);
}

void delivery_give_up(struct delivery *delivery)
{
	delivery->has_given_up = true;
	delivery_take_in(delivery);
	answer_homeless(delivery);
}

int delivery_submit(struct delivery *delivery, const struct delivery_item *item)
{
	struct passed *passed = calloc(1, sizeof(*passed));
	uint64_t one = 1;
	ssize_t written = 0;
	bool was_empty;

	if (!passed)
		return -ENOMEM;
	passed->item = *item;
	pthread_mutex_lock(&delivery->lock);
	was_empty = STAILQ_EMPTY(&delivery->intake);
	STAILQ_INSERT_TAIL(&delivery->intake, passed, in_intake);
	pthread_mutex_unlock(&delivery->lock);
	/* It can't be full: it is read before it could count that far. */
	if (was_empty)
		written = write(delivery->intake_fd, &one, sizeof(one));
	(void)written;
	return 0;
}

/* ---- Changes -------------------------------------------------------------------------------- */

static void replace_all(struct delivery *delivery, struct passed_list *order)
{
	struct passed *passed, *next;

	for (passed = TAILQ_FIRST(order); passed; passed = next) {
		uint32_t slot = slot_of(delivery, &passed->item);

		next = TAILQ_NEXT(passed, in_order);
		if (slot == passed->slot)
			continue;
		end_to_wait(delivery, passed);
		/* It may go straight to a worker: from then on nobody here is told of its end. */
		unwatch(delivery, passed);
		place(delivery, passed, false);
	}
}

void delivery_table_changed(struct delivery *delivery)
{
	uint32_t slot;

	replace_all(delivery, &delivery->homeless);
	replace_all(delivery, &delivery->busy);
	for (slot = 0; slot < STICKY_SLOTS_LIMIT; slot++)
		pump(delivery, slot);
}

/* A slot gets a worker, or loses it: those who wait for it wait differently. */
static void set_present(struct delivery *delivery, uint32_t slot, struct outlet *outlet)
{
	struct passing_slot *state = &delivery->slots[slot];
	struct passed *passed;

	if (!state->present != !outlet) {
		for (passed = TAILQ_FIRST(&state->waiting); passed;
		     passed = TAILQ_NEXT(passed, in_slot)) {
			count_retries(delivery, passed);
			TAILQ_REMOVE(order_of(delivery, slot), passed, in_order);
		}
		state->present = outlet;
		for (passed = TAILQ_FIRST(&state->waiting); passed;
		     passed = TAILQ_NEXT(passed, in_slot)) {
			passed->since_ms = now_ms();
			TAILQ_INSERT_TAIL(order_of(delivery, slot), passed, in_order);
		}
		set_expiry(delivery);
	}
	state->present = outlet;
	if (delivery->has_given_up)
		answer_homeless(delivery);
	pump(delivery, slot);
}

/* ---- Outlets --------------------------------------------------------------------------------- */

int outlet_open(struct delivery *delivery, uint32_t slot, const struct outlet_ops *ops,
		void *context, uint32_t on_the_way, struct outlet **ret_outlet)
{
	struct outlet *outlet = calloc(1, sizeof(*outlet));

	if (!outlet)
		return -ENOMEM;
	*outlet = (struct outlet){
		.delivery = delivery,
		.ops = ops,
		.context = context,
		.slot = slot,
		.limit = on_the_way,
	};
	TAILQ_INIT(&outlet->on_the_way);
	outlet->retry = evtimer_new(delivery->options.base, on_retry, outlet);
	if (!outlet->retry) {
		free(outlet);
		return -ENOMEM;
	}
	*ret_outlet = outlet;
	return 0;
}

void outlet_take_slot(struct outlet *outlet)
{
	set_present(outlet->delivery, outlet->slot, outlet);
}

void outlet_leave_slot(struct outlet *outlet)
{
	if (outlet->delivery->slots[outlet->slot].present == outlet)
		set_present(outlet->delivery, outlet->slot, NULL);
}

uint32_t outlet_on_the_way(const struct outlet *outlet)
{
	return outlet->count;
}

/* Workers accept in order: it is nearly always the first. */
static struct passed *take_out(struct outlet *outlet, uint32_t id)
{
	struct passed *passed;

	for (passed = TAILQ_FIRST(&outlet->on_the_way); passed;
	     passed = TAILQ_NEXT(passed, in_slot))
		if (passed->id == id)
			break;
	if (passed) {
		TAILQ_REMOVE(&outlet->on_the_way, passed, in_slot);
		outlet->count--;
	}
	return passed;
}

void outlet_accepted(struct outlet *outlet, uint32_t id)
{
	struct delivery *delivery = outlet->delivery;
	struct passed *passed = take_out(outlet, id);

	if (!passed)
		return;
	close(passed->item.fd);
	free(passed);
	delivery->options.counters->handed_of[outlet->slot]++;
	delivery->options.counters->handed++;
	pump(delivery, outlet->slot);
}

void outlet_refused(struct outlet *outlet, uint32_t id)
{
	struct delivery *delivery = outlet->delivery;
	struct passed *passed = take_out(outlet, id);

	if (!passed)
		return;
	/* Not at once to the one that has just given it back: it has no room. */
	if (delivery->slots[outlet->slot].present == outlet)
		try_later(outlet);
	place(delivery, passed, true);
}

void outlet_resume(struct outlet *outlet)
{
	outlet->is_blocked = false;
	if (outlet->delivery->slots[outlet->slot].present == outlet)
		pump(outlet->delivery, outlet->slot);
}

void outlet_close(struct outlet *outlet)
{
	struct delivery *delivery;
	struct passed *passed;

	if (!outlet)
		return;
	delivery = outlet->delivery;
	outlet_leave_slot(outlet);
	while ((passed = TAILQ_FIRST(&outlet->on_the_way))) {
		TAILQ_REMOVE(&outlet->on_the_way, passed, in_slot);
		place(delivery, passed, true);
	}
	event_free(outlet->retry);
	free(outlet);
}

/* ---- Open and close ----------------------------------------------------------------------------
 */

void delivery_set_limits(struct delivery *delivery, const struct delivery_limits *limits)
{
	delivery->limits = *limits;
	keep_to_the_limit(delivery);
	set_expiry(delivery);
}

uint32_t delivery_waiting_of(const struct delivery *delivery, uint32_t slot)
{
	return delivery->slots[slot].waiting_count;
}

uint32_t delivery_waiting(const struct delivery *delivery)
{
	return delivery->waiting;
}

static int open_events(struct delivery *delivery)
{
	struct event_base *base = delivery->options.base;

	delivery->gone_fd = epoll_create1(EPOLL_CLOEXEC);
	delivery->intake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (delivery->gone_fd < 0 || delivery->intake_fd < 0)
		return -errno;
	delivery->expiry = evtimer_new(base, on_expiry, delivery);
	delivery->gone =
		event_new(base, delivery->gone_fd, EV_READ | EV_PERSIST, on_gone, delivery);
	delivery->arrival =
		event_new(base, delivery->intake_fd, EV_READ | EV_PERSIST, on_arrival, delivery);
	if (!delivery->expiry || !delivery->gone || !delivery->arrival ||
	    event_add(delivery->gone, NULL) || event_add(delivery->arrival, NULL))
		return -ENOMEM;
	return 0;
}

int delivery_open(const struct delivery_options *options, const struct delivery_limits *limits,
		  struct delivery **ret_delivery)
{
	struct delivery *delivery = calloc(1, sizeof(*delivery));
	uint32_t slot;
	int error;

	if (!delivery)
		return -ENOMEM;
	delivery->options = *options;
	delivery->limits = *limits;
	delivery->gone_fd = delivery->intake_fd = -1;
	/* Workers that are taken over may still answer to a former controller's numbers. */
	if (getrandom(&delivery->next_id, sizeof(delivery->next_id), GRND_NONBLOCK) < 0)
		delivery->next_id = (uint32_t)now_ms();
	pthread_mutex_init(&delivery->lock, NULL);
	TAILQ_INIT(&delivery->homeless);
	TAILQ_INIT(&delivery->busy);
	STAILQ_INIT(&delivery->intake);
	for (slot = 0; slot < STICKY_SLOTS_LIMIT; slot++)
		TAILQ_INIT(&delivery->slots[slot].waiting);
	error = open_events(delivery);
	if (error) {
		delivery_close(delivery);
		return error;
	}
	*ret_delivery = delivery;
	return 0;
}

static void close_all(struct passed_list *order)
{
	struct passed *passed;

	while ((passed = TAILQ_FIRST(order))) {
		TAILQ_REMOVE(order, passed, in_order);
		close(passed->item.fd);
		free(passed);
	}
}

static void close_intake(struct delivery *delivery)
{
	struct passed *passed;

	while ((passed = STAILQ_FIRST(&delivery->intake))) {
		STAILQ_REMOVE_HEAD(&delivery->intake, in_intake);
		close(passed->item.fd);
		free(passed);
	}
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void delivery_close(struct delivery *delivery)
{
	if (!delivery)
		return;
	close_all(&delivery->homeless);
	close_all(&delivery->busy);
	close_intake(delivery);
	free_event(delivery->expiry);
	free_event(delivery->gone);
	free_event(delivery->arrival);
	if (delivery->gone_fd >= 0)
		close(delivery->gone_fd);
	if (delivery->intake_fd >= 0)
		close(delivery->intake_fd);
	pthread_mutex_destroy(&delivery->lock);
	free(delivery);
}
