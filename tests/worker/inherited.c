// SPDX-License-Identifier: MIT
#include "inherited.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "failure.h"

static void print_json_string(const char *text)
{
	const unsigned char *c;

	putchar('"');
	for (c = (const unsigned char *)text; *c; c++)
		if (*c < 0x20 || *c >= 0x7f || *c == '"' || *c == '\\')
			printf("\\u%04x", *c);
		else
			putchar(*c);
	putchar('"');
}

static void print_descriptor(int fd)
{
	char link[64], target[PATH_MAX] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, target, sizeof(target) - 1) < 0)
		fail("readlink %s", link);
	printf("{\"kind\":\"fd\",\"fd\":%d,\"target\":", fd);
	print_json_string(target);
	printf(",\"cloexec\":%s}\n", fcntl(fd, F_GETFD) & FD_CLOEXEC ? "true" : "false");
}

static void print_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;

	if (!directory)
		fail("/proc/self/fd");
	while ((entry = readdir(directory))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd != dirfd(directory))
			print_descriptor(fd);
	}
	closedir(directory);
}

/* Print a mask of /proc/self/status, in which bit 0 is signal 1, as a list of signal numbers. */
static void print_signals(const char *name, unsigned long long mask)
{
	const char *separator = "";
	int number;

	printf("\"%s\":[", name);
	for (number = 1; number <= 64; number++)
		if (mask >> (number - 1) & 1) {
			printf("%s%d", separator, number);
			separator = ",";
		}
	putchar(']');
}

static void print_status_masks(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long mask;
	char line[512], name[16];

	if (!file)
		fail("/proc/self/status");
	printf("{\"kind\":\"masks\"");
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%15[A-Za-z]: %llx", name, &mask) != 2)
			continue;
		if (!strcmp(name, "SigBlk") || !strcmp(name, "SigIgn")) {
			putchar(',');
			print_signals(name[3] == 'B' ? "blocked" : "ignored", mask);
		} else if (!strncmp(name, "Cap", 3)) {
			printf(",\"%s\":\"%llx\"", name, mask);
		} else if (!strcmp(name, "NoNewPrivs")) {
			printf(",\"no_new_privs\":%llu", mask);
		}
	}
	printf("}\n");
	fclose(file);
}

static void print_ids(void)
{
	gid_t groups[256];
	int count = getgroups(256, groups), i;

	if (count < 0)
		fail("getgroups");
	printf("{\"kind\":\"ids\",\"uid\":%u,\"euid\":%u,\"gid\":%u,\"egid\":%u,\"groups\":[",
	       getuid(), geteuid(), getgid(), getegid());
	for (i = 0; i < count; i++)
		printf("%s%u", i ? "," : "", groups[i]);
	printf("]}\n");
}

static void print_process(void)
{
	char cwd[PATH_MAX] = "";
	struct rlimit limit;

	if (!getcwd(cwd, sizeof(cwd)) || getrlimit(RLIMIT_NOFILE, &limit))
		fail("cwd or descriptor limit");
	printf("{\"kind\":\"process\",\"pid\":%d,\"ppid\":%d,\"pgid\":%d,\"sid\":%d,"
	       "\"nofile_soft\":%llu,\"nofile_hard\":%llu,\"cwd\":",
	       getpid(), getppid(), getpgrp(), getsid(0), (unsigned long long)limit.rlim_cur,
	       (unsigned long long)limit.rlim_max);
	print_json_string(cwd);
	printf("}\n");
}

static void print_environment(void)
{
	char **variable;

	for (variable = environ; *variable; variable++) {
		char *equals = strchr(*variable, '=');
		char *name = strndup(*variable, equals ? (size_t)(equals - *variable) : SIZE_MAX);

		if (!name)
			fail("environment");
		printf("{\"kind\":\"env\",\"name\":");
		print_json_string(name);
		printf(",\"value\":");
		print_json_string(equals ? equals + 1 : "");
		printf("}\n");
		free(name);
	}
}

void inherited_print(void)
{
	print_descriptors();
	print_status_masks();
	print_ids();
	print_process();
	print_environment();
	fflush(stdout);
}
