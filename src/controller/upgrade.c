// SPDX-License-Identifier: MIT
#include "controller/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/units.h"

/* The environment variables that tell the new program which descriptors it gets. */
#define KEPT_VARIABLE	 "STICKY_UPGRADE_SOCKETS"
#define CARRIED_VARIABLE "STICKY_UPGRADE_CONNECTIONS"

int upgrade_find_program(char ret_path[UPGRADE_PATH_SIZE])
{
	ssize_t length = readlink("/proc/self/exe", ret_path, UPGRADE_PATH_SIZE - 1);

	if (length < 0)
		return -errno;
	ret_path[length] = '\0';
	return 0;
}

/*
 * Put the numbers of the descriptors into the environment. upgrade_take_legacy() of the new program
 * takes them out again before any worker is started.
 */
static int set_kept(const int *kept, uint32_t count)
{
	char text[UPGRADE_KEPT_MAX * 12] = "";
	size_t length = 0;
	uint32_t i;

	for (i = 0; i < count; i++) {
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%d ", kept[i]);
		if (fcntl(kept[i], F_SETFD, 0))
			return -errno;
	}
	return setenv(KEPT_VARIABLE, text, 1) ? -errno : 0;
}

static void unset_kept(const int *kept, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		fcntl(kept[i], F_SETFD, FD_CLOEXEC);
	unsetenv(KEPT_VARIABLE);
}

static uint32_t take_kept(int ret_kept[UPGRADE_KEPT_MAX])
{
	const char *text = getenv(KEPT_VARIABLE);
	uint32_t count = 0;
	char *end;

	while (text && count < UPGRADE_KEPT_MAX) {
		long fd = strtol(text, &end, 10);

		if (end == text)
			break;
		text = end;
		if (fd > STDERR_FILENO && fd <= INT32_MAX &&
		    fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0)
			ret_kept[count++] = (int)fd;
	}
	unsetenv(KEPT_VARIABLE);
	return count;
}

static void take_carried(struct carried *ret_carried)
{
	const char *text = getenv(CARRIED_VARIABLE);
	uint64_t fd;
	int error;

	*ret_carried = (struct carried){0};
	if (text && parse_number(text, STDERR_FILENO + 1, INT32_MAX, &fd) == 0) {
		error = carried_read((int)fd, ret_carried);
		if (error)
			report(STICKY_LOG_ERROR, "connections_lost", "error=\"%s\"",
			       strerror(-error));
		close((int)fd);
	}
	unsetenv(CARRIED_VARIABLE);
}

bool upgrade_has_begun(void)
{
	return getenv(KEPT_VARIABLE) != NULL;
}

void upgrade_take_legacy(struct upgrade_legacy *ret_legacy)
{
	ret_legacy->kept_count = take_kept(ret_legacy->kept);
	take_carried(&ret_legacy->carried);
}

static int execute(const char *path, char *const *arguments, const struct rlimit *nofile)
{
	char program[] = "stickyctl";
	struct rlimit present;
	size_t count = 0;
	char **all;
	int error;

	while (arguments[count])
		count++;
	all = calloc(count + 2, sizeof(*all));
	if (!all)
		return -ENOMEM;
	all[0] = program;
	memcpy(all + 1, arguments, count * sizeof(*all));
	/*
	 * The new program gets the limit that this one was started with. Open descriptors above it
	 * stay open, but no new one above it can be opened: so the limit is set last, and set back
	 * if execv() fails.
	 */
	getrlimit(RLIMIT_NOFILE, &present);
	setrlimit(RLIMIT_NOFILE, nofile);
	execv(path, all);
	error = -errno;
	setrlimit(RLIMIT_NOFILE, &present);
	free(all);
	return error;
}

/* Let the connections stay open, and tell the new program which file names them. */
static int set_carried(const struct carried *carried, int file)
{
	char number[16];
	int error = carried_keep(carried, true);

	if (error)
		return error;
	snprintf(number, sizeof(number), "%d", file);
	return fcntl(file, F_SETFD, 0) || setenv(CARRIED_VARIABLE, number, 1) ? -errno : 0;
}

static void unset_carried(const struct carried *carried)
{
	carried_keep(carried, false);
	unsetenv(CARRIED_VARIABLE);
}

int upgrade_execute(const char *path, char *const *arguments, const struct upgrade_legacy *legacy)
{
	int file = carried_write(&legacy->carried), error;

	if (file < 0)
		return file;
	error = set_kept(legacy->kept, legacy->kept_count);
	if (!error)
		error = set_carried(&legacy->carried, file);
	if (!error)
		error = execute(path, arguments, &legacy->nofile);
	unset_carried(&legacy->carried);
	unset_kept(legacy->kept, legacy->kept_count);
	close(file);
	return error;
}
