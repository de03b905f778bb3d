// SPDX-License-Identifier: MIT
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "failure.h"

static void usage(FILE *out, int code) __attribute__((noreturn));

static void usage(FILE *out, int code)
{
	fputs("usage: worker [options]      (LISTEN_FDS, LISTEN_PID, NOTIFY_SOCKET, STICKY_SLOT,\n"
	      "                              STICKY_GENERATION in the environment)\n"
	      "  --bind ADDRESS      listen there, and do not look at LISTEN_FDS; may be repeated\n"
	      "  --banner            answer at accept, without reading\n"
	      "  --threads N         so many threads, each accepting from every socket (1)\n"
	      "  --notify            send READY=1 once set up\n"
	      "  --notify-delay MS   the same, but so much later\n"
	      "  --status TEXT       send STATUS=TEXT once set up, before READY=1\n"
	      "  --no-accept         never accept\n"
	      "  --accept-after MS   accept only after this\n"
	      "  --exit-after MS     die after this, without closing or draining anything\n"
	      "  --exit-code N       with this status (0)\n"
	      "  --stdout TEXT       print TEXT at start; may be repeated\n"
	      "  --stderr TEXT       the same on stderr\n"
	      "  --print-fds         print what was inherited, one JSON object a line\n"
	      "  --watchdog          send WATCHDOG=1 as often as WATCHDOG_USEC wants it\n"
	      "  --accept-pause MS   spend this time on every connection, one after the other\n"
	      "  --shut-after MS     shut the own listening sockets down after this\n"
	      "  --stopping-after MS say STOPPING=1 after this, and stop as by SIGTERM\n"
	      "  --grow MIB          use so much memory\n"
	      "  --tally FILE        count accepted and closed connections there\n"
	      "  --fork-child        fork a child that keeps the sockets and does nothing\n"
	      "  --term-drain        SIGTERM: close the listening sockets, finish the open\n"
	      "                      connections, exit 0 (this is so without the option too)\n"
	      "  --term-exit         SIGTERM: exit 0 at once, whatever is open\n"
	      "  --ignore-term       ignore SIGTERM\n",
	      out);
	exit(code);
}

static unsigned int option_number(const char *text, unsigned long limit)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || number > limit)
		usage(stderr, EXIT_USAGE);
	return (unsigned int)number;
}

enum option_id {
	OPTION_BANNER = 1,
	OPTION_BIND,
	OPTION_NOTIFY,
	OPTION_NOTIFY_DELAY,
	OPTION_STATUS,
	OPTION_NO_ACCEPT,
	OPTION_ACCEPT_AFTER,
	OPTION_EXIT_AFTER,
	OPTION_EXIT_CODE,
	OPTION_STDERR,
	OPTION_STDOUT,
	OPTION_IGNORE_TERM,
	OPTION_TERM_DRAIN,
	OPTION_TERM_EXIT,
	OPTION_FORK_CHILD,
	OPTION_PRINT_FDS,
	OPTION_THREADS,
	OPTION_WATCHDOG,
	OPTION_ACCEPT_PAUSE,
	OPTION_SHUT_AFTER,
	OPTION_STOPPING_AFTER,
	OPTION_GROW,
	OPTION_TALLY,
	OPTION_HELP
};

static const struct option long_options[] = {
	{"bind", required_argument, NULL, OPTION_BIND},
	{"banner", no_argument, NULL, OPTION_BANNER},
	{"notify", no_argument, NULL, OPTION_NOTIFY},
	{"notify-delay", required_argument, NULL, OPTION_NOTIFY_DELAY},
	{"status", required_argument, NULL, OPTION_STATUS},
	{"no-accept", no_argument, NULL, OPTION_NO_ACCEPT},
	{"accept-after", required_argument, NULL, OPTION_ACCEPT_AFTER},
	{"exit-after", required_argument, NULL, OPTION_EXIT_AFTER},
	{"exit-code", required_argument, NULL, OPTION_EXIT_CODE},
	{"stderr", required_argument, NULL, OPTION_STDERR},
	{"stdout", required_argument, NULL, OPTION_STDOUT},
	{"ignore-term", no_argument, NULL, OPTION_IGNORE_TERM},
	{"term-drain", no_argument, NULL, OPTION_TERM_DRAIN},
	{"term-exit", no_argument, NULL, OPTION_TERM_EXIT},
	{"fork-child", no_argument, NULL, OPTION_FORK_CHILD},
	{"print-fds", no_argument, NULL, OPTION_PRINT_FDS},
	{"threads", required_argument, NULL, OPTION_THREADS},
	{"watchdog", no_argument, NULL, OPTION_WATCHDOG},
	{"accept-pause", required_argument, NULL, OPTION_ACCEPT_PAUSE},
	{"shut-after", required_argument, NULL, OPTION_SHUT_AFTER},
	{"stopping-after", required_argument, NULL, OPTION_STOPPING_AFTER},
	{"grow", required_argument, NULL, OPTION_GROW},
	{"tally", required_argument, NULL, OPTION_TALLY},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

static void take_option(struct options *options, int id, const char *value)
{
	switch (id) {
	case OPTION_BANNER:
		options->banner = true;
		break;
	case OPTION_BIND:
		if (options->bind_count == BINDS_MAX)
			usage(stderr, EXIT_USAGE);
		options->binds[options->bind_count++] = value;
		break;
	case OPTION_NOTIFY_DELAY:
		options->notify_delay_ms = option_number(value, INT_MAX);
		options->notify = true;
		break;
	case OPTION_NOTIFY:
		options->notify = true;
		break;
	case OPTION_STATUS:
		options->status = value;
		break;
	case OPTION_NO_ACCEPT:
		options->no_accept = true;
		break;
	case OPTION_ACCEPT_AFTER:
		options->accept_after_ms = option_number(value, INT_MAX);
		break;
	case OPTION_EXIT_AFTER:
		options->exit_after_ms = option_number(value, INT_MAX);
		options->exits = true;
		break;
	case OPTION_EXIT_CODE:
		options->exit_code = (int)option_number(value, 255);
		break;
	case OPTION_STDERR:
		fprintf(stderr, "%s\n", value);
		break;
	case OPTION_STDOUT:
		printf("%s\n", value);
		fflush(stdout);
		break;
	case OPTION_IGNORE_TERM:
		options->ignore_term = true;
		break;
	case OPTION_TERM_DRAIN:
		options->ignore_term = false;
		options->exit_on_term = false;
		break;
	case OPTION_TERM_EXIT:
		options->exit_on_term = true;
		break;
	case OPTION_FORK_CHILD:
		options->fork_child = true;
		break;
	case OPTION_PRINT_FDS:
		options->print_fds = true;
		break;
	case OPTION_THREADS:
		options->threads = option_number(value, THREADS_MAX);
		break;
	case OPTION_WATCHDOG:
		options->watchdog = true;
		break;
	case OPTION_ACCEPT_PAUSE:
		options->accept_pause_ms = option_number(value, 10000);
		break;
	case OPTION_SHUT_AFTER:
		options->shut_after_ms = option_number(value, INT_MAX);
		break;
	case OPTION_STOPPING_AFTER:
		options->stopping_after_ms = option_number(value, INT_MAX);
		break;
	case OPTION_GROW:
		options->grow_mib = option_number(value, 4096);
		break;
	case OPTION_TALLY:
		options->tally = value;
		break;
	case OPTION_HELP:
		usage(stdout, 0);
	default:
		usage(stderr, EXIT_USAGE);
	}
}

void options_parse(int argc, char **argv, struct options *options)
{
	int id;

	options->threads = 1;
	while ((id = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		take_option(options, id, optarg);
	if (optind != argc || options->threads < 1)
		usage(stderr, EXIT_USAGE);
}
