// SPDX-License-Identifier: MIT
/*
 * The shared library as a plug-in: several copies of it in one process, beside the library that
 * this program is linked with. The tests also check what is left after dlclose(3).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/clients.h"
#include "../support/descriptors.h"
#include "../support/groups.h"
#include "../support/netns.h"
#include "../support/wait.h"
#include "sticky.h"

#define COPIES 2
#define SLOTS  4

/* A copy of the library, and the functions of it that the tests call. */
struct copy {
	char path[PATH_MAX];
	void *handle;
	struct sticky_group *group;
	struct sticky_worker *worker;
	int (*open)(const struct sticky_group_options *options, struct sticky_group **ret_group);
	void (*close)(struct sticky_group *group);
	int (*listen)(struct sticky_group *group, const char *address);
	int (*worker_open)(struct sticky_group *group, uint32_t slot,
			   struct sticky_worker **ret_worker);
	int (*worker_ready)(struct sticky_worker *worker);
	int (*worker_fd)(const struct sticky_worker *worker, uint32_t listener);
	int (*worker_close)(struct sticky_worker *worker);
};

/*
 * Copy the library to a file. dlopen() maps a file only once, so a second copy of the library needs
 * a second file.
 */
static void copy_library(const char *to)
{
	char from[PATH_MAX];
	struct stat status;
	int in, out;

	snprintf(from, sizeof(from), "%s/libsticky.so.0", getenv("BUILD") ? getenv("BUILD") : ".");
	in = open(from, O_RDONLY | O_CLOEXEC);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	assert_true(in >= 0 && out >= 0);
	assert_int_equal(fstat(in, &status), 0);
	assert_int_equal(sendfile(out, in, NULL, (size_t)status.st_size), status.st_size);
	close(in);
	close(out);
}

static void find(const struct copy *copy, const char *name, void *ret_function)
{
	void *address = dlsym(copy->handle, name);

	assert_non_null(address);
	memcpy(ret_function, &address, sizeof(address)); /* as dlsym(3) recommends */
}

static void load(struct copy *copy, uint32_t number)
{
	snprintf(copy->path, sizeof(copy->path), "/tmp/sticky-copy-%u-%d.so", number, getpid());
	copy_library(copy->path);
	copy->handle = dlopen(copy->path, RTLD_NOW | RTLD_LOCAL);
	if (!copy->handle)
		fail_msg("%s", dlerror());
	find(copy, "sticky_group_open", &copy->open);
	find(copy, "sticky_group_close", &copy->close);
	find(copy, "sticky_group_listen", &copy->listen);
	find(copy, "sticky_worker_open", &copy->worker_open);
	find(copy, "sticky_worker_ready", &copy->worker_ready);
	find(copy, "sticky_worker_fd", &copy->worker_fd);
	find(copy, "sticky_worker_close", &copy->worker_close);
}

static void unload(struct copy *copy)
{
	assert_int_equal(dlclose(copy->handle), 0);
	assert_int_equal(unlink(copy->path), 0);
}

static void start(struct copy *copy)
{
	struct sticky_group_options options = group_options(SLOTS);

	assert_int_equal(copy->open(&options, &copy->group), 0);
	assert_int_equal(copy->listen(copy->group, "127.0.0.1:0"), 0);
	assert_int_equal(copy->worker_open(copy->group, 1, &copy->worker), 0);
	assert_int_equal(copy->worker_ready(copy->worker), 0);
}

/* Check that a client of slot 1 gets to the worker. All groups have the same seed. */
static void check_serves(int listening, uint32_t number)
{
	struct sockaddr_storage client = client_address(AF_INET, number), server = {0};
	socklen_t length = sizeof(server);
	int fd, accepted;

	assert_int_equal(getsockname(listening, (void *)&server, &length), 0);
	fd = client_connect(&client, &server);
	assert_true(fd >= 0);
	assert_int_equal(wait_readable(listening), 0);
	accepted = client_accept(listening);
	assert_true(is_peer(accepted, fd));
	close(accepted);
	close(fd);
}

static bool maps_contain(const char *text)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 128];
	bool found = false;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		found |= strstr(line, text) != NULL;
	fclose(maps);
	return found;
}

static uint32_t count_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	uint32_t count = 0;

	assert_non_null(tasks);
	while (readdir(tasks))
		count++;
	closedir(tasks);
	return count - 2;
}

static void copies_work_beside_each_other(void **state)
{
	struct sticky_group *own = group_start(SLOTS, "127.0.0.1:0");
	struct sticky_worker *worker = worker_start(own, 1);
	uint32_t number = group_client_of_slot(own, AF_INET, 1, 0), i;
	struct copy copies[COPIES] = {0};

	(void)state;
	for (i = 0; i < COPIES; i++) {
		load(&copies[i], i);
		start(&copies[i]);
	}
	assert_ptr_not_equal(copies[0].open, copies[1].open);
	for (i = 0; i < COPIES; i++)
		check_serves(copies[i].worker_fd(copies[i].worker, 0), number);
	check_serves(sticky_worker_fd(worker, 0), number);
	/* One copy is closed. The others still work. */
	assert_int_equal(copies[0].worker_close(copies[0].worker), 0);
	copies[0].close(copies[0].group);
	unload(&copies[0]);
	check_serves(copies[1].worker_fd(copies[1].worker, 0), number);
	check_serves(sticky_worker_fd(worker, 0), number);
	assert_int_equal(copies[1].worker_close(copies[1].worker), 0);
	copies[1].close(copies[1].group);
	unload(&copies[1]);
	assert_int_equal(sticky_worker_close(worker), 0);
	sticky_group_close(own);
}

static void dlclose_leaves_nothing(void **state)
{
	struct copy copy = {0};
	uint32_t before, i;

	(void)state;
	before = descriptors_count();
	for (i = 0; i < 3; i++) {
		load(&copy, i);
		start(&copy);
		assert_true(maps_contain(copy.path));
		assert_int_equal(copy.worker_close(copy.worker), 0);
		copy.close(copy.group);
		unload(&copy);
		assert_false(maps_contain(copy.path));
		assert_int_equal(descriptors_count(), before);
	}
	assert_int_equal(count_threads(), 1);
}

static void the_symbols_of_libbpf_are_hidden(void **state)
{
	struct copy copy = {0};

	(void)state;
	load(&copy, 0);
	assert_null(dlsym(copy.handle, "bpf_object__open"));
	assert_null(dlsym(copy.handle, "libbpf_set_print"));
	assert_null(dlsym(copy.handle, "bpf_program_no_stream"));
	unload(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_work_beside_each_other),
		cmocka_unit_test(dlclose_leaves_nothing),
		cmocka_unit_test(the_symbols_of_libbpf_are_hidden),
	};
	const char *reason = netns_enter();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
