// SPDX-License-Identifier: MIT
/*
 * The order of sockets in a group: a socket that joins goes to the end. When one leaves, the last
 * one takes its place.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "engine/socket_order.h"

static void a_socket_joins_at_the_end(void **state)
{
	static struct socket_order order;
	uint32_t i;

	(void)state;
	order.count = 0;
	for (i = 0; i < SOCKET_ORDER_MAX; i++)
		assert_int_equal(socket_order_join(&order, 100 + i), i);
	assert_int_equal(socket_order_join(&order, 1), -ENOSPC);
	assert_int_equal(socket_order_join(&order, 100 + 7), 7);
	for (i = 0; i < SOCKET_ORDER_MAX; i++)
		assert_int_equal(socket_order_find(&order, 100 + i), i);
	assert_int_equal(socket_order_find(&order, 1), -ENOENT);
}

static void the_last_one_takes_the_place_of_one_that_leaves(void **state)
{
	static struct socket_order order;
	uint32_t i;

	(void)state;
	order.count = 0;
	for (i = 0; i < 5; i++)
		socket_order_join(&order, i + 1);
	socket_order_leave(&order, 2);
	assert_int_equal(order.count, 4);
	assert_int_equal(socket_order_find(&order, 5), 1);
	assert_int_equal(socket_order_find(&order, 1), 0);
	assert_int_equal(socket_order_find(&order, 2), -ENOENT);
	socket_order_leave(&order, 4); /* the last one */
	assert_int_equal(order.count, 3);
	assert_int_equal(socket_order_find(&order, 3), 2);
	socket_order_leave(&order, 77);
	assert_int_equal(order.count, 3);
	assert_int_equal(socket_order_join(&order, 2), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_joins_at_the_end),
		cmocka_unit_test(the_last_one_takes_the_place_of_one_that_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
