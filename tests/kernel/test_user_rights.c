// SPDX-License-Identifier: MIT
/*
 * The rights of the workers' user: which files can be opened in a region, which capabilities are
 * effective in it, and that all is as before when it has ended. Each test is a process of its own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rights/privilege.h"
#include "rights/trusted_path.h"
#include "rights/user_rights.h"
#include "../support/caps.h"
#include "../support/netns.h"

#define BIT(capability) (UINT64_C(1) << (capability))
#define NOBODY		65534
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return __LINE__;                                                           \
	} while (0)

static const gid_t groups[] = {NOBODY, 4711};
static const struct user_rights nobody = {
	.change = true, .uid = NOBODY, .gid = NOBODY, .groups = groups, .group_count = 2};

static char directory[] = "/tmp/sticky-rights-XXXXXX";

/* Run a test in a child. Returns its exit status: 0, or the line of the check that failed. */
static int run(int (*life)(void))
{
	int ends[2], line = -1, status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		line = life();
		_exit(write(ends[1], &line, sizeof(line)) == sizeof(line) ? 0 : 2);
	}
	close(ends[1]);
	if (read(ends[0], &line, sizeof(line)) != sizeof(line))
		line = -1;
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return line < 0 ? -WEXITSTATUS(status) : line;
}

static bool may_make(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	unlink(path);
	return fd >= 0;
}

static int files(void)
{
	struct user_rights_region region;

	CHECK(may_make("own/x") && may_make("user/x") && may_make("group/x"));
	CHECK(user_rights_begin(&nobody, &region) == 0);
	CHECK(!may_make("own/x"));
	CHECK(may_make("user/x"));
	CHECK(may_make("group/x"));
	user_rights_end(&region);
	CHECK(may_make("own/x"));
	/* The process's own groups do not count in the region. */
	CHECK(!setegid(4712) && !user_rights_begin(&nobody, &region));
	CHECK(!may_make("another/x"));
	user_rights_end(&region);
	return 0;
}

static void files_are_opened_as_the_user_would(void **state)
{
	(void)state;
	assert_int_equal(run(files), 0);
}

static int capabilities(void)
{
	struct caps_sets before, inside, after;
	struct user_rights_region region;

	before = caps_read();
	CHECK(before.effective & BIT(CAP_DAC_OVERRIDE));
	CHECK(user_rights_begin(&nobody, &region) == 0);
	inside = caps_read();
	user_rights_end(&region);
	after = caps_read();
	CHECK(inside.effective == 0);
	CHECK(memcmp(&before, &after, sizeof(before)) == 0);
	CHECK(privilege_shrink(0) == 0);
	before = caps_read();
	CHECK(user_rights_begin(&nobody, &region) == 0);
	CHECK(caps_read().effective == 0);
	user_rights_end(&region);
	after = caps_read();
	/* The kernel makes CAP_DAC_READ_SEARCH effective where the uid becomes root's again. */
	CHECK(memcmp(&before, &after, sizeof(before)) == 0);
	return 0;
}

static void no_capability_is_effective_in_it(void **state)
{
	(void)state;
	assert_int_equal(run(capabilities), 0);
}

static int nested(void)
{
	struct user_rights_region region;
	unsigned int previous;

	CHECK(privilege_shrink(0) == 0);
	previous = privilege_raise(PRIVILEGE_DAC_READ_SEARCH);
	CHECK(user_rights_begin(&nobody, &region) == 0);
	CHECK(caps_read().effective == 0);
	user_rights_end(&region);
	CHECK(caps_read().effective == BIT(CAP_DAC_READ_SEARCH));
	privilege_restore(previous);
	CHECK(caps_read().effective == 0);
	return 0;
}

static void it_stands_in_a_region_of_privilege(void **state)
{
	(void)state;
	assert_int_equal(run(nested), 0);
}

static int identity(void)
{
	const gid_t before[] = {5, 6};
	struct user_rights_region region;
	gid_t after[8];

	CHECK(setgroups(2, before) == 0);
	CHECK(prctl(PR_SET_PDEATHSIG, 10) == 0);
	CHECK(user_rights_begin(&nobody, &region) == 0);
	CHECK(geteuid() == 0 && setfsuid((uid_t)-1) == NOBODY && setfsgid((gid_t)-1) == NOBODY);
	user_rights_end(&region);
	CHECK(setfsuid((uid_t)-1) == 0 && setfsgid((gid_t)-1) == 0);
	CHECK(getgroups(8, after) == 2 && after[0] == 5 && after[1] == 6);
	CHECK(prctl(PR_GET_DUMPABLE) == 1);
	CHECK(prctl(PR_GET_PDEATHSIG, &after[0]) == 0 && after[0] == 10);
	return 0;
}

static void all_is_as_before_at_the_end(void **state)
{
	(void)state;
	assert_int_equal(run(identity), 0);
}

/* What a thread beside the region sees while it lasts. */
struct beside {
	pthread_barrier_t begun, seen;
	int uid;
	gid_t groups[8];
	int group_count;
	uint64_t effective;
};

static void *look(void *context)
{
	struct beside *beside = context;

	pthread_barrier_wait(&beside->begun);
	beside->uid = setfsuid((uid_t)-1);
	beside->group_count = getgroups(8, beside->groups);
	beside->effective = caps_read().effective;
	pthread_barrier_wait(&beside->seen);
	return NULL;
}

static int look_from_beside(void)
{
	struct beside beside = {.uid = -1};
	struct user_rights_region region;
	pthread_t thread;
	const gid_t own_group = 5;

	CHECK(setgroups(1, &own_group) == 0);
	CHECK(!pthread_barrier_init(&beside.begun, NULL, 2));
	CHECK(!pthread_barrier_init(&beside.seen, NULL, 2));
	CHECK(pthread_create(&thread, NULL, look, &beside) == 0);
	CHECK(user_rights_begin(&nobody, &region) == 0);
	pthread_barrier_wait(&beside.begun);
	pthread_barrier_wait(&beside.seen);
	user_rights_end(&region);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(beside.uid == 0 && beside.group_count == 1 && beside.groups[0] == own_group);
	CHECK(beside.effective & BIT(CAP_DAC_OVERRIDE));
	return 0;
}

static void other_threads_keep_their_rights(void **state)
{
	(void)state;
	assert_int_equal(run(look_from_beside), 0);
}

static int own(void)
{
	struct user_rights_region region;
	uint64_t before = caps_read().effective;

	CHECK(user_rights_begin(NULL, &region) == 0);
	CHECK(caps_read().effective == before && may_make("own/x"));
	user_rights_end(&region);
	CHECK(user_rights_begin(&(struct user_rights){0}, &region) == 0);
	CHECK(caps_read().effective == 0 && geteuid() == 0 && may_make("own/x"));
	user_rights_end(&region);
	CHECK(caps_read().effective == before);
	return 0;
}

static void for_the_same_user_the_capabilities_alone_go(void **state)
{
	(void)state;
	assert_int_equal(run(own), 0);
}

static int not_permitted(void)
{
	struct user_rights_region region;

	privilege_drop();
	CHECK(user_rights_begin(&nobody, &region) == -EPERM);
	CHECK(setfsuid((uid_t)-1) == 0 && may_make("own/x"));
	return 0;
}

static void without_capabilities_nothing_changes(void **state)
{
	(void)state;
	assert_int_equal(run(not_permitted), 0);
}

static int frozen(void)
{
	struct user_rights_region region;

	CHECK(user_rights_begin(&nobody, &region) == 0);
	CHECK(caps_freeze() == 0);
	user_rights_end(&region);
	return __LINE__;
}

static void a_process_that_can_not_come_back_ends(void **state)
{
	(void)state;
	assert_int_equal(run(frozen), -EXIT_FAILURE);
}

/* ---- Which paths lead where others want -------------------------------------------------- */

static bool trusts(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return trusted_path(path);
}

static void link_to(const char *target, const char *name, uid_t owner)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(lchown(path, owner, owner), 0);
}

static void a_path_is_as_trusted_as_its_directories(void **state)
{
	(void)state;
	assert_true(trusted_path("/"));
	assert_true(trusted_path("/etc/passwd"));
	assert_true(trusts("own"));
	assert_true(trusts("own/../own"));
	assert_false(trusts("own/none"));
	assert_false(trusts("user"));
	assert_false(trusts("group"));
	assert_false(trusts("user/../own"));
	assert_false(trusted_path("/etc/passwd/x"));
}

/* A name that no file can have is not taken for two names. */
static void a_name_that_is_too_long_is_not_cut(void **state)
{
	char path[sizeof(directory) + NAME_MAX + 8];
	size_t begin = strlen(directory) + 1;

	(void)state;
	snprintf(path, sizeof(path), "%s/", directory);
	memset(path + begin, 'x', NAME_MAX);
	path[begin + NAME_MAX] = '\0';
	assert_int_equal(mkdir(path, 0755), 0);
	strcpy(path + begin + NAME_MAX, "/y");
	assert_int_equal(mkdir(path, 0755), 0);
	assert_true(trusted_path(path));
	strcpy(path + begin + NAME_MAX, "y");
	assert_false(trusted_path(path));
	strcpy(path + begin + NAME_MAX, "/y");
	assert_int_equal(rmdir(path), 0);
	path[begin + NAME_MAX] = '\0';
	assert_int_equal(rmdir(path), 0);
}

static void a_link_is_as_trusted_as_its_owner_and_its_target(void **state)
{
	(void)state;
	link_to("own", "of_root", 0);
	link_to("own", "of_user", NOBODY);
	link_to("user/../own", "by_user", 0);
	link_to("/etc", "absolute", 0);
	link_to("loop", "loop", 0);
	link_to("file", "user/link", 0);
	assert_true(trusts("of_root"));
	assert_false(trusts("of_user"));
	assert_false(trusts("by_user"));
	assert_true(trusts("absolute/passwd"));
	assert_false(trusts("loop"));
	assert_false(trusts("user/link"));
}

static void the_directory_alone_can_be_asked_for(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/own/none", directory);
	assert_true(trusted_path_of_directory(path));
	snprintf(path, sizeof(path), "%s/user/none", directory);
	assert_false(trusted_path_of_directory(path));
	assert_true(trusted_path_of_directory("/x"));
	/* In a directory with the sticky bit only the owner can change an entry. */
	assert_true(trusted_path_of_directory("/tmp/x"));
}

static void make(const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chown(path, uid, gid), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chmod(directory, 0755), 0);
	make("own", 0, 0, 0755);
	make("user", NOBODY, NOBODY, 0700);
	make("group", 0, 4711, 0770);
	make("another", 0, 4712, 0770);
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command); /* NOLINT(cert-env33-c): a fixed command */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_opened_as_the_user_would),
		cmocka_unit_test(no_capability_is_effective_in_it),
		cmocka_unit_test(it_stands_in_a_region_of_privilege),
		cmocka_unit_test(all_is_as_before_at_the_end),
		cmocka_unit_test(other_threads_keep_their_rights),
		cmocka_unit_test(for_the_same_user_the_capabilities_alone_go),
		cmocka_unit_test(without_capabilities_nothing_changes),
		cmocka_unit_test(a_process_that_can_not_come_back_ends),
		cmocka_unit_test(a_path_is_as_trusted_as_its_directories),
		cmocka_unit_test(a_name_that_is_too_long_is_not_cut),
		cmocka_unit_test(a_link_is_as_trusted_as_its_owner_and_its_target),
		cmocka_unit_test(the_directory_alone_can_be_asked_for),
	};
	const char *reason = netns_enter_without_bpf();

	if (reason)
		return netns_skip(reason);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
