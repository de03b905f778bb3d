// SPDX-License-Identifier: MIT
#include "wait.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

int wait_scaled_ms(int ms)
{
	const char *text = getenv("STICKY_TEST_SLOWNESS");
	double slowness = text ? strtod(text, NULL) : 1;

	return slowness > 1 ? (int)(ms * slowness) : ms;
}

static int wait_for(int fd, short events)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};
	int ready;

	do {
		ready = poll(&poll_fd, 1, WAIT_DEADLINE_MS);
	} while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return -errno;
	return ready ? 0 : -ETIMEDOUT;
}

int wait_readable(int fd)
{
	return wait_for(fd, POLLIN);
}

int wait_connected(int fd)
{
	int error = wait_for(fd, POLLOUT), result;
	socklen_t length = sizeof(result);

	if (error)
		return error;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &length))
		return -errno;
	return -result;
}

uint64_t wait_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int wait_until(wait_condition_fn *condition, void *context)
{
	uint64_t end = wait_now_ms() + (uint64_t)WAIT_DEADLINE_MS;

	while (!condition(context)) {
		if (wait_now_ms() > end)
			return -ETIMEDOUT;
		/* Leave the processor to the process that makes the condition true. */
		poll(NULL, 0, 1);
	}
	return 0;
}
