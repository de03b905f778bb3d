// SPDX-License-Identifier: MIT
/*
 * examples/threads with what its test wants: commands for single slots on stdin, and a count of the
 * answers that came from another slot than that of the look-up. Each line is answered by "done".
 *
 *     replace SLOT
 *     drain SLOT        its clients wait
 *     ready SLOT        after "drain"
 *
 * The commands are done where the example waits for a signal, as its other changes of slots are.
 */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

static int wait_or_command(const sigset_t *set, int *ret_signal);
static ssize_t count_and_send(int fd, const void *text, size_t length, int flags);

#define sigwait wait_or_command
#define send	count_and_send
#include "server.c"
#undef send

static atomic_uint served, misplaced;

static ssize_t count_and_send(int fd, const void *text, size_t length, int flags)
{
	const char *place = memmem(text, length, "slot=", 5);
	struct sockaddr_storage client;
	socklen_t size = sizeof(client);

	if (getpeername(fd, (void *)&client, &size) == 0)
		misplaced += sticky_group_slot_of(group, (void *)&client) != atoi(place + 5);
	served++;
	return send(fd, text, length, flags);
}

static void tell_counts(void)
{
	printf("served %u, in another slot than that of the look-up: %u\n", served, misplaced);
}

/* Returns 0 at the end of stdin. */
static int do_command(void)
{
	char line[64], word[16];
	unsigned int slot;

	if (!fgets(line, sizeof(line), stdin))
		return 0;
	if (sscanf(line, "%15s %u", word, &slot) != 2 || slot >= sticky_group_slots(group))
		fprintf(stderr, "not a command: %s", line);
	else if (!strcmp(word, "drain"))
		drain(slot);
	else if (!strcmp(word, "replace") || (!strcmp(word, "ready") && !threads[slot]))
		replace(slot);
	printf("done %s", line);
	fflush(stdout);
	return 1;
}

static int wait_or_command(const sigset_t *set, int *ret_signal)
{
	static struct pollfd polled[2] = {{.fd = -1, .events = POLLIN},
					  {.fd = STDIN_FILENO, .events = POLLIN}};
	struct signalfd_siginfo signal;

	if (polled[0].fd < 0) {
		setvbuf(stdin, NULL, _IONBF, 0); /* poll() knows nothing of a buffer */
		atexit(tell_counts);
		polled[0].fd = signalfd(-1, set, SFD_CLOEXEC);
	}
	for (;;) {
		poll(polled, 2, -1);
		if (polled[0].revents && read(polled[0].fd, &signal, sizeof(signal)) > 0) {
			*ret_signal = (int)signal.ssi_signo;
			return 0;
		}
		if (polled[1].revents && !do_command())
			polled[1].fd = -1;
	}
}
