// SPDX-License-Identifier: MIT
/* Timers that fire once: after their delay, or at once if there is no memory for them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>

#include "common/timer.h"

#define HOUR_MS 3600000

static bool has_memory = true;

/* libevent keeps its timers in an array, which it enlarges by this function. */
static void *resize(void *memory, size_t size)
{
	return has_memory ? realloc(memory, size) : NULL;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	assert_int_equal(what, EV_TIMEOUT);
	++*(int *)context;
}

struct loop {
	struct event_base *base;
	struct event *timer;
	int fired;
};

static void open_loop(struct loop *loop)
{
	*loop = (struct loop){.base = event_base_new()};
	assert_non_null(loop->base);
	loop->timer = evtimer_new(loop->base, on_timer, &loop->fired);
	assert_non_null(loop->timer);
}

static void close_loop(struct loop *loop)
{
	event_free(loop->timer);
	event_base_free(loop->base);
}

static void it_fires_once_and_not_before_its_time(void **state)
{
	struct loop loop;

	(void)state;
	open_loop(&loop);
	timer_start(loop.timer, HOUR_MS);
	event_base_loop(loop.base, EVLOOP_NONBLOCK);
	assert_int_equal(loop.fired, 0);
	/* The timer is started again: the first delay does not count any more. */
	timer_start(loop.timer, 1);
	event_base_dispatch(loop.base); /* runs until nothing is pending */
	assert_int_equal(loop.fired, 1);
	close_loop(&loop);
}

static void without_memory_it_fires_at_once(void **state)
{
	struct loop loop;

	(void)state;
	open_loop(&loop);
	has_memory = false;
	timer_start(loop.timer, HOUR_MS);
	has_memory = true;
	event_base_loop(loop.base, EVLOOP_NONBLOCK);
	assert_int_equal(loop.fired, 1);
	event_base_dispatch(loop.base);
	assert_int_equal(loop.fired, 1);
	close_loop(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_fires_once_and_not_before_its_time),
		cmocka_unit_test(without_memory_it_fires_at_once),
	};

	event_set_mem_functions(malloc, resize, free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
