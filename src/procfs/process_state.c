// SPDX-License-Identifier: MIT
#include "procfs/process_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STAT_SIZE 1024

/* Read a small file of /proc. Returns its length in bytes, or -errno. */
static ssize_t read_file(const char *path, char text[STAT_SIZE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = read(fd, text, STAT_SIZE - 1);
	if (length < 0)
		length = -errno;
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	return length;
}

int process_state_read(pid_t pid, struct process_state *ret_state)
{
	char path[32], text[STAT_SIZE], letter;
	uint64_t user, system;
	const char *end;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	length = read_file(path, text);
	if (length < 0)
		return (int)length;
	/* The command's name, in brackets, may contain brackets itself. */
	end = strrchr(text, ')');
	if (!end ||
	    sscanf(end + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
		   &letter, &user, &system) != 3)
		return -EPROTO;
	*ret_state = (struct process_state){
		.letter = letter,
		.cpu_ms = (user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK),
	};
	return 0;
}
