// SPDX-License-Identifier: MIT
/* The file that lists the connections which an upgrade carries over. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "handoff/carried.h"

#define COUNT 200

static struct carried_connection connection_of(int fd, uint32_t number)
{
	struct carried_connection connection = {.item.fd = fd, .slot = number, .id = number / 2};

	connection.item.client.v4 = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001 + number)};
	return connection;
}

static bool is_inherited(int fd)
{
	return !(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void what_is_written_is_read(void **state)
{
	struct carried written = {0}, read = {0};
	int fds[COUNT], file;
	uint32_t i;

	(void)state;
	for (i = 0; i < COUNT; i++) {
		struct carried_connection connection;

		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		connection = connection_of(fds[i], i);
		assert_int_equal(carried_add(&written, &connection), 0);
	}
	assert_int_equal(carried_keep(&written, true), 0);
	assert_true(is_inherited(fds[0]) && is_inherited(fds[COUNT - 1]));
	file = carried_write(&written);
	assert_true(file >= 0);
	assert_false(is_inherited(file));

	assert_int_equal(carried_read(file, &read), 0);
	assert_int_equal(read.count, COUNT);
	for (i = 0; i < COUNT; i++) {
		assert_memory_equal(&read.items[i], &written.items[i], sizeof(read.items[i]));
		assert_true(carried_has_client(&read.items[i]));
		assert_false(is_inherited(fds[i]));
		close(fds[i]);
	}
	close(file);
	carried_fini(&written);
	carried_fini(&read);
}

static void none_are_none(void **state)
{
	struct carried none = {0}, read = {0};
	int file = carried_write(&none);

	(void)state;
	assert_int_equal(carried_read(file, &read), 0);
	assert_int_equal(read.count, 0);
	close(file);
	carried_fini(&read);
}

static void without_a_client_its_head_is_to_be_read(void **state)
{
	struct carried_connection connection = {.item.fd = 7};

	(void)state;
	assert_false(carried_has_client(&connection));
}

/*
 * These files are refused: any other file, the file of another version, and one that was cut off.
 */
static void other_files_are_refused(void **state)
{
	const struct carried_connection connection = connection_of(STDERR_FILENO, 1);
	struct carried written = {0}, read = {0};
	uint32_t version = CARRIED_VERSION + 1;
	int file = memfd_create("other", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(carried_read(file, &read), -EPROTO);
	assert_int_equal(write(file, "0123456789012345678901234567890123456789", 40), 40);
	assert_int_equal(carried_read(file, &read), -EPROTO);
	close(file);

	assert_int_equal(carried_add(&written, &connection), 0);
	file = carried_write(&written);
	assert_int_equal(pwrite(file, &version, sizeof(version), 0), sizeof(version));
	assert_int_equal(carried_read(file, &read), -EPROTO);
	close(file);

	file = carried_write(&written);
	assert_int_equal(ftruncate(file, sizeof(connection)), 0);
	assert_int_equal(carried_read(file, &read), -EPROTO);
	close(file);
	assert_null(read.items);
	carried_fini(&written);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(none_are_none),
		cmocka_unit_test(without_a_client_its_head_is_to_be_read),
		cmocka_unit_test(other_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
