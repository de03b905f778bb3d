// SPDX-License-Identifier: MIT
/*
 * The socket of the controller's supervisor: its address, a slow or missing reader, the watchdog.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/service_address.h"
#include "service/service_socket.h"

#define PATH_MAX_LENGTH (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

/* ---- The address -------------------------------------------------------------------- */

static void paths_and_abstract_names_are_addresses(void **state)
{
	struct service_address address;

	(void)state;
	assert_int_equal(service_address_parse("/run/notify", &address), 0);
	assert_string_equal(address.address.sun_path, "/run/notify");
	assert_int_equal(address.length, offsetof(struct sockaddr_un, sun_path) + 12);
	assert_int_equal(service_address_parse("@abstract", &address), 0);
	assert_memory_equal(address.address.sun_path, "\0abstract", 9);
	assert_int_equal(address.length, offsetof(struct sockaddr_un, sun_path) + 9);
}

static void other_values_are_refused(void **state)
{
	static const char *const bad[] = {"", "/", "@", "run/notify", "vsock:2:1234", " /run/x"};
	struct service_address address;
	char name[PATH_MAX_LENGTH + 2];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(service_address_parse(bad[i], &address), -EINVAL);
	memset(name, 'a', sizeof(name));
	name[0] = '/';
	name[PATH_MAX_LENGTH + 1] = '\0';
	assert_int_equal(service_address_parse(name, &address), -ENAMETOOLONG);
	name[PATH_MAX_LENGTH] = '\0';
	assert_int_equal(service_address_parse(name, &address), 0);
}

/* ---- Sending ------------------------------------------------------------------------ */

/* Returns a name that no other run of this test has. */
static const char *own_name(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "@sticky-test-service-%d", getpid());
	return name;
}

static int open_reader(void)
{
	struct service_address address;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(service_address_parse(own_name(), &address), 0);
	assert_int_equal(bind(fd, (const void *)&address.address, address.length), 0);
	return fd;
}

static void assert_reads(int fd, const char *wanted)
{
	char text[64] = "";

	assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), strlen(wanted));
	assert_string_equal(text, wanted);
}

static void a_reader_may_come_late_and_come_back(void **state)
{
	struct service_socket socket;
	int reader;

	(void)state;
	assert_int_equal(service_socket_open(own_name(), &socket), 0);
	assert_int_equal(fcntl(socket.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(service_socket_send(&socket, "early"), -ECONNREFUSED);
	assert_true(socket.failures.next_ms > 0);
	reader = open_reader();
	assert_int_equal(service_socket_send(&socket, "one"), 0);
	assert_reads(reader, "one");
	close(reader);
	assert_int_equal(service_socket_send(&socket, "away"), -ECONNREFUSED);
	reader = open_reader();
	assert_int_equal(service_socket_send(&socket, "two"), 0);
	assert_reads(reader, "two");
	close(reader);
	service_socket_close(&socket);
}

static void a_full_socket_is_not_waited_for(void **state)
{
	struct service_socket socket;
	int reader = open_reader(), sent = 0, error = 0;

	(void)state;
	assert_int_equal(service_socket_open(own_name(), &socket), 0);
	while (sent < 100000 && !(error = service_socket_send(&socket, "much")))
		sent++;
	assert_int_equal(error, -EAGAIN);
	assert_true(sent > 0);
	assert_reads(reader, "much");
	assert_int_equal(service_socket_send(&socket, "more"), 0);
	close(reader);
	service_socket_close(&socket);
}

/* ---- The watchdog ------------------------------------------------------------------- */

static void the_watchdog_gets_half_of_its_time(void **state)
{
	(void)state;
	assert_int_equal(service_watchdog_period_ms("30000000", NULL, 7), 15000);
	assert_int_equal(service_watchdog_period_ms("30000000", "7", 7), 15000);
	assert_int_equal(service_watchdog_period_ms("1", NULL, 7), 1);
	assert_int_equal(service_watchdog_period_ms("900000000000000000", NULL, 7), INT32_MAX);
}

static void without_a_watchdog_there_is_no_period(void **state)
{
	static const char *const bad[] = {"", "0", "-1", "3s", "18446744073709551615", "1e6"};
	size_t i;

	(void)state;
	assert_int_equal(service_watchdog_period_ms(NULL, NULL, 7), 0);
	assert_int_equal(service_watchdog_period_ms("30000000", "8", 7), 0);
	assert_int_equal(service_watchdog_period_ms("30000000", "", 7), 0);
	assert_int_equal(service_watchdog_period_ms("30000000", "4294967303", 7), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(service_watchdog_period_ms(bad[i], NULL, 7), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_and_abstract_names_are_addresses),
		cmocka_unit_test(other_values_are_refused),
		cmocka_unit_test(a_reader_may_come_late_and_come_back),
		cmocka_unit_test(a_full_socket_is_not_waited_for),
		cmocka_unit_test(the_watchdog_gets_half_of_its_time),
		cmocka_unit_test(without_a_watchdog_there_is_no_period),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
