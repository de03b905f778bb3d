// SPDX-License-Identifier: MIT
/*
 * The datagrams of sd_notify(3): their text, their sender, and the descriptors that come with them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/notify.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- The text --------------------------------------------------------------------- */

static int parse(const char *text, struct notify_message *ret_message)
{
	static char copy[8192];

	assert_true(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	return notify_parse(copy, ret_message);
}

static void known_lines_are_read_in_any_order(void **state)
{
	static const struct {
		const char *text;
		bool ready, stopping, alive;
		const char *status;
	} good[] = {
		{"READY=1", true, false, false, NULL},
		{"READY=1\n", true, false, false, NULL},
		{"\n\nREADY=1\n\n", true, false, false, NULL},
		{"STOPPING=1", false, true, false, NULL},
		{"WATCHDOG=1", false, false, true, NULL},
		{"STATUS=warm", false, false, false, "warm"},
		{"STATUS=", false, false, false, ""},
		{"STATUS=a=b READY=1", false, false, false, "a=b READY=1"},
		{"READY=1\nSTATUS=up\nWATCHDOG=1", true, false, true, "up"},
		{"STATUS=up\nWATCHDOG=1\nREADY=1\n", true, false, true, "up"},
		{"STATUS=one\nSTATUS=two", false, false, false, "two"},
		{"READY=1\nSTOPPING=1", true, true, false, NULL},
		{"MAINPID=12\nREADY=1\nX_OURS=3\n", true, false, false, NULL},
		{"FDSTORE=1\nSTATUS=kept\nnonsense", false, false, false, "kept"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(good); i++) {
		struct notify_message message;

		if (parse(good[i].text, &message))
			fail_msg("refused: %s", good[i].text);
		assert_int_equal(message.ready, good[i].ready);
		assert_int_equal(message.stopping, good[i].stopping);
		assert_int_equal(message.alive, good[i].alive);
		assert_int_equal(message.status != NULL, good[i].status != NULL);
		if (message.status)
			assert_string_equal(message.status, good[i].status);
	}
}

static void texts_without_a_known_line_are_refused(void **state)
{
	static const char *const bad[] = {
		"",	     "\n",	  "\n\n\n",	 "READY=0",	"READY=",	 "READY",
		"READY=11",  "READY=1 ",  " READY=1",	 "ready=1",	"STOPPING=0",	 "STATUS",
		"XSTATUS=a", "WATCHDOG=", "BARRIER=1\n", "MAINPID=1\n", "READY=1\r\n\r",
	};
	struct notify_message message, untouched;
	size_t i;

	(void)state;
	memset(&message, 0x5a, sizeof(message));
	memset(&untouched, 0x5a, sizeof(untouched));
	for (i = 0; i < COUNT(bad); i++) {
		if (parse(bad[i], &message) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		assert_memory_equal(&message, &untouched, sizeof(message));
	}
}

static void a_long_text_is_read_whole(void **state)
{
	char text[4096];
	struct notify_message message;
	size_t length = 0;

	(void)state;
	while (length < 2000)
		length += (size_t)sprintf(text + length, "X%zu=1\n", length);
	length += (size_t)sprintf(text + length, "STATUS=");
	memset(text + length, 's', 1500);
	strcpy(text + length + 1500, "\nREADY=1");
	assert_int_equal(parse(text, &message), 0);
	assert_true(message.ready);
	assert_int_equal(strlen(message.status), 1500);
}

/* ---- The socket ------------------------------------------------------------------- */

static char path[64];
static struct event_base *base;
static struct notify *notify;
static struct {
	int count;
	pid_t sender;
	struct notify_message message;
	char status[64];
} heard;

static void on_message(void *context, pid_t sender, const struct notify_message *message)
{
	assert_ptr_equal(context, &heard);
	heard.count++;
	heard.sender = sender;
	heard.message = *message;
	snprintf(heard.status, sizeof(heard.status), "%s", message->status ? message->status : "");
}

static int open_socket(void **state)
{
	(void)state;
	memset(&heard, 0, sizeof(heard));
	snprintf(path, sizeof(path), "/tmp/test_notify-%d", getpid());
	base = event_base_new();
	return !base || notify_open(base, path, geteuid(), on_message, &heard, &notify);
}

static int close_socket(void **state)
{
	(void)state;
	notify_close(notify);
	event_base_free(base);
	unlink(path);
	return 0;
}

static int say_with(const char *text, size_t length, int fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {.iov_base = (char *)text, .iov_len = length};
	struct msghdr header = {.msg_name = &address,
				.msg_namelen = sizeof(address),
				.msg_iov = &part,
				.msg_iovlen = 1};
	int from = socket(AF_UNIX, SOCK_DGRAM, 0);
	ssize_t sent;

	strcpy(address.sun_path, path);
	if (fd >= 0) {
		struct cmsghdr *rights = (void *)control;

		header.msg_control = control;
		header.msg_controllen = sizeof(control);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	}
	sent = sendmsg(from, &header, MSG_DONTWAIT);
	close(from);
	return sent == (ssize_t)length ? 0 : -1;
}

static int say(const char *text)
{
	return say_with(text, strlen(text), -1);
}

static void a_sender_is_known_by_its_pid(void **state)
{
	(void)state;
	assert_int_equal(say("READY=1\nSTATUS=hello"), 0);
	notify_drain(notify);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.sender, getpid());
	assert_true(heard.message.ready);
	assert_string_equal(heard.status, "hello");
}

static void a_child_is_known_by_its_pid(void **state)
{
	pid_t child;
	int status;

	(void)state;
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		_exit(say("WATCHDOG=1") ? 1 : 0);
	}
	/* The child has ended, and is not reaped: the kernel still knows it. */
	assert_int_equal(waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
	notify_drain(notify);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.sender, child);
	assert_true(heard.message.alive);
}

static void the_loop_hears_too(void **state)
{
	(void)state;
	say("STOPPING=1");
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(heard.count, 1);
	assert_true(heard.message.stopping);
}

static void what_is_unknown_or_too_long_is_passed_over(void **state)
{
	static char longer[5000] = "READY=1\n";

	(void)state;
	memset(longer + 8, 'x', sizeof(longer) - 8);
	/* the message was cut off, and is ignored */
	assert_int_equal(say_with(longer, sizeof(longer), -1), 0);
	say("EXTEND_TIMEOUT_USEC=1");
	say_with("", 0, -1);
	say_with("READY=1\0\nSTOPPING=1", 19, -1);
	notify_drain(notify);
	assert_int_equal(heard.count, 1);
	assert_true(heard.message.ready);
	assert_false(heard.message.stopping);
}

static void the_longest_is_heard(void **state)
{
	static char longest[4096] = "READY=1\nSTATUS=";

	(void)state;
	memset(longest + 15, 'x', sizeof(longest) - 15);
	assert_int_equal(say_with(longest, sizeof(longest), -1), 0);
	notify_drain(notify);
	assert_int_equal(heard.count, 1);
	assert_true(heard.message.ready);
}

static int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void descriptors_that_come_along_are_closed(void **state)
{
	int before = count_descriptors(), i;

	(void)state;
	for (i = 0; i < 8; i++) {
		assert_int_equal(say_with("READY=1\nBARRIER=1", 17, STDIN_FILENO), 0);
		notify_drain(notify);
	}
	assert_int_equal(heard.count, 8);
	assert_int_equal(count_descriptors(), before);
}

static void only_the_owner_can_write_to_it(void **state)
{
	struct stat info;

	(void)state;
	assert_int_equal(stat(path, &info), 0);
	assert_true(S_ISSOCK(info.st_mode));
	assert_int_equal(info.st_mode & 0777, 0600);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	char name[200];
	struct notify *other = NULL;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(notify_open(base, name, geteuid(), on_message, NULL, &other),
			 -ENAMETOOLONG);
	assert_null(other);
	assert_int_equal(
		notify_open(base, "/tmp/no/such/directory/x", geteuid(), on_message, NULL, &other),
		-ENOENT);
	notify_close(NULL);
}

#define SOCKET_TEST(function) cmocka_unit_test_setup_teardown(function, open_socket, close_socket)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_lines_are_read_in_any_order),
		cmocka_unit_test(texts_without_a_known_line_are_refused),
		cmocka_unit_test(a_long_text_is_read_whole),
		SOCKET_TEST(a_sender_is_known_by_its_pid),
		SOCKET_TEST(a_child_is_known_by_its_pid),
		SOCKET_TEST(the_loop_hears_too),
		SOCKET_TEST(what_is_unknown_or_too_long_is_passed_over),
		SOCKET_TEST(the_longest_is_heard),
		SOCKET_TEST(descriptors_that_come_along_are_closed),
		SOCKET_TEST(only_the_owner_can_write_to_it),
		SOCKET_TEST(a_path_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
