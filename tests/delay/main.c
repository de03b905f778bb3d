// SPDX-License-Identifier: MIT
/*
 * A delay line between two network namespaces. Tests use it in place of netem, which some kernels
 * lack.
 *
 *     delay DEVICE MICROSECONDS [PACKETS]
 *
 * The program makes a TUN device of this name in the namespace that it was started in, and another
 * one in a new namespace, in which it stays. Other processes enter that namespace by
 * /proc/PID/ns/net. Each packet that one device sends is received by the other one after so many
 * microseconds, in order. Each direction has room for PACKETS (8192) packets. A packet that finds
 * no room is dropped and counted, and the program then ends with an error.
 *
 * It prints "ready" when both devices exist. The caller sets their addresses. At SIGTERM the
 * program prints one JSON object with its counts, and ends. Both devices end with it. The new
 * namespace ends, too, unless another process is in it.
 *
 * Exit codes: 0 all packets were passed; 1 not all, or a failure; 2 usage; 77 no TUN devices.
 */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "failure.h"
#include "line.h"
#include "tun.h"

#define PACKETS_DEFAULT 8192
#define PACKETS_LIMIT	65536
#define DELAY_US_LIMIT	10000000

struct delay {
	struct line lines[2];
	int timer, signals, epoll;
	int64_t armed_ns; /* time for which the timer is set; INT64_MAX: not set */
};

static void usage(void) __attribute__((noreturn));

static void usage(void)
{
	fputs("usage: delay DEVICE MICROSECONDS [PACKETS]\n", stderr);
	exit(EXIT_USAGE);
}

static uint32_t number(const char *text, unsigned long least, unsigned long most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || text[0] == '-' || value < least || value > most)
		usage();
	return (uint32_t)value;
}

static void watch(const struct delay *delay, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (epoll_ctl(delay->epoll, EPOLL_CTL_ADD, fd, &event))
		failure_exit(EXIT_DROPPED, "epoll_ctl");
}

/* Returns a descriptor that is readable after SIGTERM. */
static int watch_for_sigterm(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		failure_exit(EXIT_DROPPED, "sigprocmask");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		failure_exit(EXIT_DROPPED, "signalfd");
	return fd;
}

/* Open the two ends of the line: one in the present namespace, one in a new one. */
static void open_lines(struct delay *delay, const char *device, int64_t delay_ns, uint32_t packets)
{
	int here = tun_open(device), there, i;

	if (unshare(CLONE_NEWNET))
		failure_exit(EXIT_DROPPED, "unshare");
	there = tun_open(device);
	delay->lines[0] = (struct line){.from = here, .to = there, .delay_ns = delay_ns};
	delay->lines[1] = (struct line){.from = there, .to = here, .delay_ns = delay_ns};
	for (i = 0; i < 2; i++)
		line_open(&delay->lines[i], packets);
}

static void open_loop(struct delay *delay)
{
	delay->signals = watch_for_sigterm();
	delay->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	delay->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (delay->timer < 0 || delay->epoll < 0)
		failure_exit(EXIT_DROPPED, "timerfd or epoll");
	delay->armed_ns = INT64_MAX;
	watch(delay, delay->signals);
	watch(delay, delay->timer);
	watch(delay, delay->lines[0].from);
	watch(delay, delay->lines[1].from);
}

/* Set the timer for the next packet. That also clears an earlier expiry. */
static void arm(struct delay *delay)
{
	int64_t a = line_next_ns(&delay->lines[0]), b = line_next_ns(&delay->lines[1]);
	int64_t next = a < b ? a : b;
	struct itimerspec spec = {0};

	if (next == delay->armed_ns)
		return;
	if (next != INT64_MAX) {
		spec.it_value.tv_sec = next / 1000000000;
		spec.it_value.tv_nsec = next % 1000000000;
	}
	if (timerfd_settime(delay->timer, TFD_TIMER_ABSTIME, &spec, NULL))
		failure_exit(EXIT_DROPPED, "timerfd_settime");
	delay->armed_ns = next;
}

static void relay(struct delay *delay)
{
	struct epoll_event events[4];
	struct signalfd_siginfo info;
	int i;

	while (read(delay->signals, &info, sizeof(info)) < 0) {
		for (i = 0; i < 2; i++) {
			line_receive(&delay->lines[i]);
			line_send(&delay->lines[i]);
		}
		arm(delay);
		if (epoll_wait(delay->epoll, events, 4, -1) < 0 && errno != EINTR)
			failure_exit(EXIT_DROPPED, "epoll_wait");
	}
}

/* Print the counts. Returns the exit code. */
static int conclude(struct delay *delay)
{
	uint64_t passed = delay->lines[0].passed + delay->lines[1].passed;
	uint64_t dropped = delay->lines[0].dropped + delay->lines[1].dropped;
	int64_t a = delay->lines[0].late_ns, b = delay->lines[1].late_ns;

	printf("{\"passed\":%llu,\"dropped\":%llu,\"late_us\":%lld}\n", (unsigned long long)passed,
	       (unsigned long long)dropped, (long long)(a > b ? a : b) / 1000);
	line_close(&delay->lines[0]);
	line_close(&delay->lines[1]);
	if (!dropped)
		return 0;
	fprintf(stderr,
		"delay: %llu packets were dropped: the ring was full, or a device refused "
		"them\n",
		(unsigned long long)dropped);
	return EXIT_DROPPED;
}

int main(int argc, char **argv)
{
	struct delay delay = {0};
	uint32_t delay_us, packets;

	if (argc < 3 || argc > 4)
		usage();
	delay_us = number(argv[2], 0, DELAY_US_LIMIT);
	packets = argc > 3 ? number(argv[3], 1, PACKETS_LIMIT) : PACKETS_DEFAULT;
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* the line ends with the test that made it */
	open_lines(&delay, argv[1], delay_us * 1000LL, packets);
	open_loop(&delay);
	puts("ready");
	fflush(stdout);
	relay(&delay);
	return conclude(&delay);
}
