// SPDX-License-Identifier: MIT
/* The seed is drawn once, stored, kept secret, and never replaced without the user's knowledge. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error_text.h"
#include "state/seed.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char dir[64];   /* the state directory */
static char file[128]; /* <dir>/web/seed */
static struct error_text why;
static uint8_t seed[STICKY_SEED_SIZE];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_seed-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/web/seed", dir);
	why.text[0] = '\0';
	memset(seed, 0, sizeof(seed));
	return 0;
}

static int remove_one(const char *path, const struct stat *info, int what, struct FTW *where)
{
	(void)info;
	(void)what;
	(void)where;
	return remove(path);
}

static int remove_dir(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int obtain(void)
{
	why.text[0] = '\0';
	return seed_obtain(dir, "web", seed, &why);
}

static void write_file(const char *content, size_t length)
{
	char parent[96];
	int fd;

	snprintf(parent, sizeof(parent), "%s/web", dir);
	mkdir(parent, 0700);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, length), length);
	close(fd);
}

static size_t read_back(char *content, size_t size)
{
	int fd = open(file, O_RDONLY);
	ssize_t length = read(fd, content, size - 1);

	assert_true(length >= 0);
	content[length] = '\0';
	close(fd);
	return (size_t)length;
}

/* Write the content of a valid file: "sticky-seed 1\n", then the seed in hex and a line end. */
static size_t write_good(char *ret_content)
{
	size_t length = (size_t)sprintf(ret_content, "sticky-seed 1\n"), i;

	for (i = 0; i < STICKY_SEED_SIZE; i++)
		length += (size_t)sprintf(ret_content + length, "%02zx", 16 * (i % 16) + 10);
	ret_content[length++] = '\n';
	write_file(ret_content, length);
	return length;
}

static void it_is_drawn_once(void **state)
{
	uint8_t first[STICKY_SEED_SIZE];
	struct stat info;

	(void)state;
	assert_int_equal(obtain(), 0);
	memcpy(first, seed, sizeof(first));
	assert_int_equal(stat(file, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	memset(seed, 0, sizeof(seed));
	assert_int_equal(obtain(), 0);
	assert_memory_equal(seed, first, sizeof(first));
	assert_string_equal(why.text, "");
}

static int count_files(void)
{
	char command[128];
	FILE *list;
	int count = 0, c;

	snprintf(command, sizeof(command), "ls -A %s/web", dir);
	list = popen(command, "r");
	while ((c = fgetc(list)) != EOF)
		count += c == '\n';
	pclose(list);
	return count;
}

static void nothing_else_is_left_behind(void **state)
{
	char parent[96];
	struct stat info;

	(void)state;
	umask(0);
	assert_int_equal(obtain(), 0);
	umask(022);
	snprintf(parent, sizeof(parent), "%s/web", dir);
	assert_int_equal(stat(parent, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0700);
	assert_int_equal(stat(file, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(count_files(), 1);
}

static void another_name_has_another_seed(void **state)
{
	uint8_t other[STICKY_SEED_SIZE];

	(void)state;
	assert_int_equal(obtain(), 0);
	assert_int_equal(seed_obtain(dir, "other", other, &why), 0);
	assert_memory_not_equal(seed, other, sizeof(seed));
}

static void what_is_written_is_what_is_read(void **state)
{
	char content[256];
	size_t i;

	(void)state;
	write_good(content);
	assert_int_equal(obtain(), 0);
	for (i = 0; i < STICKY_SEED_SIZE; i++)
		assert_int_equal(seed[i], 16 * (i % 16) + 10);
}

/* Check that the file is refused with the reason and a remedy, and is not changed. */
static void check_refused(const char *content, size_t length, const char *reason)
{
	char there[256];

	write_file(content, length);
	memset(seed, 0x5a, sizeof(seed));
	assert_int_equal(obtain(), -EINVAL);
	if (!strstr(why.text, file) || !strstr(why.text, reason) || !strstr(why.text, "remove it"))
		fail_msg("%zu bytes: not \"%s\": %s", length, reason, why.text);
	assert_int_equal(read_back(there, sizeof(there)), length);
	assert_memory_equal(there, content, length);
}

static void a_truncated_one_is_refused(void **state)
{
	char content[256];
	size_t length, whole;

	(void)state;
	whole = write_good(content);
	for (length = strlen("sticky-seed "); length < whole; length++)
		check_refused(content, length, "truncated");
	check_refused(content, 0, "empty");
}

static void a_damaged_one_is_refused(void **state)
{
	char content[256];
	size_t length, i;

	(void)state;
	length = write_good(content);
	for (i = strlen("sticky-seed 1\n"); i < length; i++) {
		char previous = content[i];

		content[i] = 'g';
		check_refused(content, length, "damaged");
		content[i] = previous;
	}
	content[length] = '\n';
	check_refused(content, length + 1, "damaged");
	content[20] = 'A'; /* the library writes small letters */
	check_refused(content, length, "damaged");
}

static void another_version_is_refused(void **state)
{
	static const char *const texts[] = {"sticky-seed 2\n0011\n", "sticky-seed 10\nabc\n"};
	char content[256];
	size_t i, length;

	(void)state;
	for (i = 0; i < COUNT(texts); i++)
		check_refused(texts[i], strlen(texts[i]), "of another version");
	check_refused("hello, world. hello!\n", 21, "not a seed");
	length = write_good(content);
	content[strlen("sticky-seed ")] = '2'; /* everything else is as it should be */
	check_refused(content, length, "of another version");
}

static void one_that_others_can_read_is_refused(void **state)
{
	static const mode_t modes[] = {0640, 0604, 0644, 0620, 0602, 0601, 0666};
	char content[256];
	size_t i;

	(void)state;
	write_good(content);
	for (i = 0; i < COUNT(modes); i++) {
		assert_int_equal(chmod(file, modes[i]), 0);
		assert_int_equal(obtain(), -EPERM);
		assert_non_null(strstr(why.text, file));
		assert_non_null(strstr(why.text, "chmod 600"));
	}
	assert_int_equal(chmod(file, 0400), 0);
	assert_int_equal(obtain(), 0);
}

static void somebody_elses_is_refused(void **state)
{
	char content[256];

	(void)state;
	if (geteuid() != 0)
		skip();
	write_good(content);
	assert_int_equal(chown(file, 65534, (gid_t)-1), 0);
	assert_int_equal(obtain(), -EPERM);
	assert_non_null(strstr(why.text, "65534"));
}

static void a_link_is_not_followed(void **state)
{
	char elsewhere[128], content[256];

	(void)state;
	write_good(content);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
	assert_int_equal(rename(file, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, file), 0);
	assert_int_equal(obtain(), -ELOOP);
	assert_non_null(strstr(why.text, file));
	/* A link to a file that does not exist is refused, too. */
	unlink(elsewhere);
	assert_int_equal(obtain(), -ELOOP);
}

static void what_is_no_file_is_refused(void **state)
{
	char content[256];

	(void)state;
	write_good(content);
	unlink(file);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_int_equal(obtain(), -EINVAL);
	assert_non_null(strstr(why.text, "not a regular file"));
	rmdir(file);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(obtain(), -EINVAL); /* the call did not wait for a writer */
}

/*
 * A seed that can't be stored only leads to a warning: the instance runs, and its clients move at
 * the next start.
 */
static void one_that_cannot_be_kept_is_drawn_all_the_same(void **state)
{
	static const uint8_t zero[STICKY_SEED_SIZE];
	char path[128];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/web", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(obtain(), 1);
	assert_non_null(strstr(why.text, path));
	assert_memory_not_equal(seed, zero, sizeof(zero));

	memset(seed, 0, sizeof(seed));
	assert_int_equal(seed_obtain(path, "web", seed, &why), 1);
	assert_memory_not_equal(seed, zero, sizeof(zero));
}

static void a_directory_of_others_is_not_used(void **state)
{
	char parent[96];

	(void)state;
	snprintf(parent, sizeof(parent), "%s/web", dir);
	assert_int_equal(mkdir(parent, 0700), 0);
	assert_int_equal(chmod(parent, 0777), 0);
	assert_int_equal(obtain(), 1);
	assert_non_null(strstr(why.text, "0777"));
	assert_int_equal(access(file, F_OK), -1);
}

static void a_name_that_is_too_long_is_a_warning(void **state)
{
	static char name[5000];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	assert_int_equal(seed_obtain(dir, name, seed, &why), 1);
	assert_non_null(strstr(why.text, "--state-dir"));
}

/*
 * The file of --seed-file may be readable by its group, and may be a link. No seed is drawn for it.
 */
static void a_shared_one_is_read(void **state)
{
	char content[256], link[128];

	(void)state;
	write_good(content);
	assert_int_equal(chmod(file, 0440), 0);
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(symlink(file, link), 0);
	assert_int_equal(seed_read(link, seed, &why), 0);
	assert_int_equal(seed[0], 10);
}

static void a_shared_one_is_refused(void **state)
{
	static const mode_t modes[] = {0460, 0444, 0420, 0602};
	char content[256];
	size_t i;

	(void)state;
	write_good(content);
	for (i = 0; i < COUNT(modes); i++) {
		assert_int_equal(chmod(file, modes[i]), 0);
		assert_int_equal(seed_read(file, seed, &why), -EPERM);
		assert_non_null(strstr(why.text, "chmod 600"));
	}
	assert_int_equal(chmod(file, 0600), 0);
	write_file("sticky-seed 2", 13);
	assert_int_equal(seed_read(file, seed, &why), -EINVAL);
	assert_non_null(strstr(why.text, "of another host"));
	unlink(file);
	assert_int_equal(seed_read(file, seed, &why), -ENOENT);
	assert_non_null(strstr(why.text, "--seed-file"));
	assert_int_equal(access(file, F_OK), -1);
}

/* A write that stops in the middle sets no errno: an older one must not be taken for its reason. */
static void one_that_does_not_fit_is_said(void **state)
{
	struct rlimit all, few;
	int result;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
	few = (struct rlimit){.rlim_cur = 1, .rlim_max = all.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
	errno = EXDEV;
	result = seed_obtain(dir, "web", seed, &why);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	assert_int_equal(result, 1);
	assert_non_null(strstr(why.text, strerror(EIO)));
}

#define SEED_TEST(function) cmocka_unit_test_setup_teardown(function, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SEED_TEST(it_is_drawn_once),
		SEED_TEST(nothing_else_is_left_behind),
		SEED_TEST(another_name_has_another_seed),
		SEED_TEST(what_is_written_is_what_is_read),
		SEED_TEST(a_truncated_one_is_refused),
		SEED_TEST(a_damaged_one_is_refused),
		SEED_TEST(another_version_is_refused),
		SEED_TEST(one_that_others_can_read_is_refused),
		SEED_TEST(somebody_elses_is_refused),
		SEED_TEST(a_link_is_not_followed),
		SEED_TEST(what_is_no_file_is_refused),
		SEED_TEST(one_that_cannot_be_kept_is_drawn_all_the_same),
		SEED_TEST(a_directory_of_others_is_not_used),
		SEED_TEST(a_name_that_is_too_long_is_a_warning),
		SEED_TEST(one_that_does_not_fit_is_said),
		SEED_TEST(a_shared_one_is_read),
		SEED_TEST(a_shared_one_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
