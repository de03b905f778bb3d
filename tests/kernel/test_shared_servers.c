// SPDX-License-Identifier: MIT
/*
 * The set of shared sockets limits what workers may ask for: the number of sockets, the size of the
 * data, and the paths.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/shared_servers.h"
#include "../support/netns.h"

#define LIMIT 256

static const struct user_rights own;
static struct shared_servers *ports;
static char directory[] = "/tmp/sticky-shared-XXXXXX";

static int open_ports(void **state)
{
	(void)state;
	return shared_servers_open(16, &own, &ports);
}

static int close_ports(void **state)
{
	(void)state;
	shared_servers_close(ports);
	return 0;
}

/* Make the query with this index, for any free port. */
static struct cluster_query any_port(int index)
{
	return (struct cluster_query){
		.address = "127.0.0.1", .address_type = 4, .fd = -1, .index = index};
}

static struct cluster_query at_path(const char *path)
{
	struct cluster_query query = {.port = -1, .address_type = -1, .fd = -1};

	snprintf(query.address, sizeof(query.address), "%s", path);
	return query;
}

static int find(const struct cluster_query *query, const json_t *data, const json_t **ret_data)
{
	const json_t *kept;
	int fd;

	return shared_servers_find(ports, query, false, data, &fd, ret_data ? ret_data : &kept);
}

static void a_server_more_than_the_limit_is_refused(void **state)
{
	struct cluster_query query;
	int i;

	(void)state;
	for (i = 0; i < LIMIT; i++) {
		query = any_port(i);
		assert_int_equal(find(&query, NULL, NULL), 0);
	}
	query = any_port(LIMIT);
	assert_int_equal(find(&query, NULL, NULL), -ENFILE);
	query = any_port(0);
	assert_int_equal(find(&query, NULL, NULL), 0);
}

static void large_data_is_not_kept(void **state)
{
	char *text = malloc(70000);
	struct cluster_query query = any_port(0);
	json_t *large, *small = json_string("keys");
	const json_t *kept;

	(void)state;
	memset(text, 'x', 69999);
	text[69999] = '\0';
	large = json_string(text);
	free(text);
	assert_int_equal(find(&query, large, &kept), 0);
	assert_null(kept);
	assert_int_equal(find(&query, small, &kept), 0);
	assert_string_equal(json_string_value(kept), "keys");
	assert_int_equal(find(&query, large, &kept), 0);
	assert_string_equal(json_string_value(kept), "keys");
	json_decref(large);
	json_decref(small);
}

static int count_descriptors(void)
{
	int fd, count = 0;

	for (fd = 3; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* A worker that is taken over may have any number of listening sockets. */
static void sockets_of_a_worker_are_kept_up_to_the_limit(void **state)
{
	int before = count_descriptors(), i;

	(void)state;
	for (i = 0; i < LIMIT + 20; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_true(fd >= 0);
		assert_int_equal(listen(fd, 1), 0);
		shared_servers_offer(ports, fd);
	}
	assert_int_equal(count_descriptors() - before, LIMIT);
}

static void a_path_must_be_absolute(void **state)
{
	static const char *const paths[] = {"", "x.sock", "./x.sock", "../x.sock", "/tmp/"};
	struct cluster_query query;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		query = at_path(paths[i]);
		assert_int_equal(find(&query, NULL, NULL), -EINVAL);
	}
	query = at_path("/tmp/no/such/directory/x.sock");
	assert_int_equal(find(&query, NULL, NULL), -ENOENT);
}

static void a_file_that_is_there_stays(void **state)
{
	struct cluster_query query;
	struct stat status;
	char path[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/file", directory);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	query = at_path(path);
	assert_int_equal(find(&query, NULL, NULL), -EADDRINUSE);
	assert_int_equal(stat(path, &status), 0);
	assert_true(S_ISREG(status.st_mode));
	unlink(path);
	assert_int_equal(find(&query, NULL, NULL), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	shared_servers_stop(ports);
	assert_int_equal(access(path, F_OK), -1);
	rmdir(directory);
}

#define PORTS_TEST(function) cmocka_unit_test_setup_teardown(function, open_ports, close_ports)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PORTS_TEST(a_server_more_than_the_limit_is_refused),
		PORTS_TEST(large_data_is_not_kept),
		PORTS_TEST(sockets_of_a_worker_are_kept_up_to_the_limit),
		PORTS_TEST(a_path_must_be_absolute),
		PORTS_TEST(a_file_that_is_there_stays),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
