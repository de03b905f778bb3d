// SPDX-License-Identifier: MIT
/* The controller's side of the keeper, with a keeper whose answers come late. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bind/keeper.h"
#include "bind/keeper_wire.h"
#include "wire/fd_passing.h"

static char directory[] = "/tmp/sticky-keeper-XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static struct event_base *base;
static struct keeper_link *link_to;
static int listener, keeper; /* the keeper's ends */
static int lost_count;

static void on_lost(void *context)
{
	(void)context;
	lost_count++;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (const void *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	base = event_base_new();
	lost_count = 0;
	assert_int_equal(keeper_open(base, address.sun_path, on_lost, NULL, &link_to), 0);
	keeper = accept(listener, NULL, NULL);
	assert_true(keeper >= 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	keeper_close(link_to);
	event_base_free(base);
	close(keeper);
	close(listener);
	unlink(address.sun_path);
	rmdir(directory);
	return 0;
}

static void answer(enum keeper_word word, pid_t pid)
{
	const struct keeper_message message = {.word = word, .pid = pid};
	int fd = word == KEEPER_HAS ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;

	assert_int_equal(fd_passing_send(keeper, &message, sizeof(message), fd), sizeof(message));
	if (fd >= 0)
		close(fd);
}

static void expect(enum keeper_word word, pid_t pid)
{
	struct keeper_message message;
	int fd;

	assert_int_equal(fd_passing_receive(keeper, &message, sizeof(message), &fd),
			 sizeof(message));
	assert_int_equal(fd, -1);
	assert_int_equal(message.word, word);
	assert_int_equal(message.pid, pid);
}

/* Returns the number that the next descriptor gets: it shows that none was left open. */
static int next_descriptor(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

static void a_late_answer_is_not_the_keepers_end(void **state)
{
	int next = next_descriptor();

	(void)state;
	assert_int_equal(keeper_claim(link_to, 77), -ETIMEDOUT);
	expect(KEEPER_CLAIM, 77);
	answer(KEEPER_HAS, 77);
	answer(KEEPER_LACKS, 78);
	event_base_loop(base, EVLOOP_NONBLOCK);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(lost_count, 0);
	assert_int_equal(next_descriptor(), next);
	expect(KEEPER_LET_GO, 77); /* no other process would answer its calls */
	close(keeper);
	keeper = -1;
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(lost_count, 1);
}

static void a_late_answer_is_not_that_of_the_next_claim(void **state)
{
	int next = next_descriptor(), fd;

	(void)state;
	assert_int_equal(keeper_claim(link_to, 77), -ETIMEDOUT);
	expect(KEEPER_CLAIM, 77);
	answer(KEEPER_HAS, 77);
	answer(KEEPER_LACKS, 78);
	assert_int_equal(keeper_claim(link_to, 78), -ENOENT);
	expect(KEEPER_CLAIM, 78);
	expect(KEEPER_LET_GO, 77);
	answer(KEEPER_LACKS, 77);
	answer(KEEPER_HAS, 79);
	fd = keeper_claim(link_to, 79);
	assert_int_equal(fd, next);
	close(fd);
	assert_int_equal(lost_count, 0);
}

static void the_end_is_no_answer(void **state)
{
	(void)state;
	close(keeper);
	keeper = -1;
	assert_true(keeper_claim(link_to, 77) < 0);
}

#define KEEPER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KEEPER_TEST(a_late_answer_is_not_the_keepers_end),
		KEEPER_TEST(a_late_answer_is_not_that_of_the_next_claim),
		KEEPER_TEST(the_end_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
