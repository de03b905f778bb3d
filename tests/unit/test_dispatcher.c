// SPDX-License-Identifier: MIT
/* A dispatcher that can't watch its sockets is not started: connections would wait for ever. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handoff/dispatcher.h"
#include "handoff/exits.h"

static void a_socket_that_can_not_be_watched_is_an_error(void **state)
{
	/* epoll refuses regular files and devices such as this one. */
	const int fds[] = {socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
			   open("/dev/null", O_RDONLY | O_CLOEXEC)};
	struct dispatch_counters counters = {0};
	struct dispatcher_options options = {.fds = fds, .fd_count = 2, .counters = &counters};
	const struct dispatch_rules values = {.mode = DISPATCH_PEER}, *rules;
	struct dispatcher *dispatcher = NULL;

	(void)state;
	assert_int_equal(dispatch_rules_new(&values, NULL, 0, &rules), 0);
	assert_true(fds[0] >= 0 && fds[1] >= 0);
	assert_int_equal(dispatcher_start(&options, rules, &dispatcher), -EPERM);
	assert_null(dispatcher);
	dispatch_rules_unref(rules);
	close(fds[0]);
	close(fds[1]);
}

/*
 * An upgrade carries connections over. If a client has reset one of them, the connection has no
 * address any more.
 */
static void a_client_that_reset_meanwhile_is_gone(void **state)
{
	const int accepted[] = {socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}; /* no peer */
	struct dispatch_counters counters = {0};
	struct exit_counters exits = {0};
	struct dispatcher_options options = {
		.counters = &counters, .exits = &exits, .accepted = accepted, .accepted_count = 1};
	const struct dispatch_rules values = {.mode = DISPATCH_PEER}, *rules;
	struct dispatcher *dispatcher = NULL;

	(void)state;
	assert_true(accepted[0] >= 0);
	assert_int_equal(dispatch_rules_new(&values, NULL, 0, &rules), 0);
	assert_int_equal(dispatcher_start(&options, rules, &dispatcher), 0);
	dispatcher_stop(dispatcher);
	dispatch_rules_unref(rules);
	assert_int_equal(counters.client_gone, 1);
	assert_int_equal(fcntl(accepted[0], F_GETFD), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_that_can_not_be_watched_is_an_error),
		cmocka_unit_test(a_client_that_reset_meanwhile_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
