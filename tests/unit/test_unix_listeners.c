// SPDX-License-Identifier: MIT
/* Lines of /proc/net/unix, and the file itself. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "procfs/unix_listeners.h"

#define HEAD "ffff9a3c00000000: 00000002 00000000 "

static const struct {
	const char *line, *path;
} lines[] = {
	{HEAD "00010000 0001 01 31415 /run/sticky/web/control.sock\n",
	 "/run/sticky/web/control.sock"},
	{HEAD "00010000 0001 01 31415 /run/a b\n", "/run/a b"},
	{HEAD "00010000 0001 01 31415 /run/a", "/run/a"},
	{HEAD "00010000 0001 01 31415\n", NULL},	   /* it has no path */
	{HEAD "00010000 0001 01 31415 @abstract\n", NULL}, /* its name is in no file system */
	{HEAD "00000000 0001 03 31415 /run/connected\n", NULL},
	{HEAD "00000000 0002 01 31415 /run/datagrams\n", NULL},
	{HEAD "00010000 0005 01 31415 /run/packets\n", NULL},
	{"Num       RefCount Protocol Flags    Type St Inode Path\n", NULL},
	{"\n", NULL},
	{"", NULL},
};

static void lines_are_read(void **state)
{
	char line[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *path;

		snprintf(line, sizeof(line), "%s", lines[i].line);
		path = unix_listener_path(line);
		if (lines[i].path)
			assert_string_equal(path, lines[i].path);
		else
			assert_null(path);
	}
}

static int look_for(void *context, const char *path)
{
	return strcmp(path, context) == 0 ? 7 : 0;
}

static void a_socket_is_found_while_it_listens(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/sticky-listener-%d", getpid());
	assert_int_equal(bind(fd, (const void *)&address, sizeof(address)), 0);
	assert_int_equal(unix_listeners_each(look_for, address.sun_path), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(unix_listeners_each(look_for, address.sun_path), 7);
	close(fd);
	assert_int_equal(unix_listeners_each(look_for, address.sun_path), 0);
	unlink(address.sun_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read),
		cmocka_unit_test(a_socket_is_found_while_it_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
