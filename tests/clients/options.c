// SPDX-License-Identifier: MIT
#include "options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "failure.h"
#include "values.h"

#define SOURCES_DEFAULT		 1000
#define CONCURRENCY_DEFAULT	 64
#define CONCURRENCY_RATE_DEFAULT 4096
#define SPARE_DESCRIPTORS	 32 /* for stdio, epoll and files */

static void usage(FILE *out, int code) __attribute__((noreturn));

static void usage(FILE *out, int code)
{
	fputs("usage: clients --target ADDRESS:PORT [options]\n"
	      "  --family 4|6|mapped  4: from 127.1.0.1 up (default). mapped: the same, by IPv6\n"
	      "                       sockets. 6: from 2001:db8::1, one /64 each; the network\n"
	      "                       namespace must have the local route 2001:db8::/32\n"
	      "  --sources N          clients, each with its own address (1000)\n"
	      "  --skip N             so many addresses are left out in front of theirs\n"
	      "  --from ADDRESS       the first address is this one, an IPv4 address\n"
	      "  --connections M      connections of each (1; with --duration: no limit)\n"
	      "  --concurrency C      open at a time, at most (64; with --rate 4096)\n"
	      "  --duration SECONDS   begin connections for so long\n"
	      "  --rate R             open loop: begin R a second, whether answered or not;\n"
	      "                       latency counts from when a connection was due. Those that\n"
	      "                       were due and found no place until the end of the duration\n"
	      "                       are `not_begun`\n"
	      "  --deadline SECONDS   end of everything, from the start (30; at least the\n"
	      "                       duration and 10 more)\n"
	      "  --patience SECONDS   after SIGTERM, wait so long for answers, then end "
	      "everything\n"
	      "  --hold               all open at once; tells on stdout when all are connected,\n"
	      "                       and waits for the answers\n"
	      "  --banner             send nothing: the worker answers at accept\n"
	      "  --http               send a GET request\n"
	      "  --wait MS            send one that tests/worker answers after so long\n"
	      "  --forwarded          send one that a proxy would, for a client of 198.18/15\n"
	      "  --map FILE           write `address slot` of each client that was answered\n"
	      "  --expect FILE        compare with such a file\n"
	      "  --trace FILE         write `DUE_US LATENCY_US OUTCOME` of each connection when "
	      "it\n"
	      "                       has ended: when it was due, in microseconds by\n"
	      "                       CLOCK_MONOTONIC; how long from then to its end; how it\n"
	      "                       ended, by its name in the result\n",
	      out);
	exit(code);
}

enum option_id {
	OPTION_TARGET = 1,
	OPTION_FAMILY,
	OPTION_SOURCES,
	OPTION_SKIP,
	OPTION_FROM,
	OPTION_CONNECTIONS,
	OPTION_CONCURRENCY,
	OPTION_DURATION,
	OPTION_RATE,
	OPTION_DEADLINE,
	OPTION_PATIENCE,
	OPTION_HOLD,
	OPTION_BANNER,
	OPTION_HTTP,
	OPTION_WAIT,
	OPTION_FORWARDED,
	OPTION_MAP,
	OPTION_EXPECT,
	OPTION_TRACE,
	OPTION_HELP
};

static const struct option long_options[] = {
	{"target", required_argument, NULL, OPTION_TARGET},
	{"family", required_argument, NULL, OPTION_FAMILY},
	{"sources", required_argument, NULL, OPTION_SOURCES},
	{"skip", required_argument, NULL, OPTION_SKIP},
	{"from", required_argument, NULL, OPTION_FROM},
	{"connections", required_argument, NULL, OPTION_CONNECTIONS},
	{"concurrency", required_argument, NULL, OPTION_CONCURRENCY},
	{"duration", required_argument, NULL, OPTION_DURATION},
	{"rate", required_argument, NULL, OPTION_RATE},
	{"deadline", required_argument, NULL, OPTION_DEADLINE},
	{"patience", required_argument, NULL, OPTION_PATIENCE},
	{"hold", no_argument, NULL, OPTION_HOLD},
	{"banner", no_argument, NULL, OPTION_BANNER},
	{"http", no_argument, NULL, OPTION_HTTP},
	{"wait", required_argument, NULL, OPTION_WAIT},
	{"forwarded", no_argument, NULL, OPTION_FORWARDED},
	{"map", required_argument, NULL, OPTION_MAP},
	{"expect", required_argument, NULL, OPTION_EXPECT},
	{"trace", required_argument, NULL, OPTION_TRACE},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

static void take_option(struct options *options, int id, const char *value)
{
	switch (id) {
	case OPTION_FAMILY:
		options->family = values_family(value);
		break;
	case OPTION_SOURCES:
		options->sources = values_count(value, SOURCES_MAX);
		break;
	case OPTION_SKIP:
		options->first = values_count(value, SOURCES_MAX);
		break;
	case OPTION_FROM:
		options->first = values_first(value);
		break;
	case OPTION_CONNECTIONS:
		options->connections = values_count(value, UINT32_MAX);
		break;
	case OPTION_CONCURRENCY:
		options->concurrency = values_count(value, INT_MAX);
		break;
	case OPTION_DURATION:
		options->duration_s = values_positive(value);
		break;
	case OPTION_RATE:
		options->rate = values_positive(value);
		break;
	case OPTION_DEADLINE:
		options->deadline_s = values_positive(value);
		break;
	case OPTION_PATIENCE:
		options->patience_s = values_positive(value);
		break;
	case OPTION_HOLD:
		options->hold = true;
		break;
	case OPTION_BANNER:
		options->banner = true;
		break;
	case OPTION_HTTP:
		options->http = true;
		break;
	case OPTION_WAIT:
		options->wait_ms = values_count(value, INT_MAX);
		break;
	case OPTION_FORWARDED:
		options->forwarded = true;
		break;
	case OPTION_MAP:
		options->map_path = value;
		break;
	case OPTION_EXPECT:
		options->expect_path = value;
		break;
	case OPTION_TRACE:
		options->trace_path = value;
		break;
	case OPTION_HELP:
		usage(stdout, 0);
	default:
		usage(stderr, EXIT_USAGE);
	}
}

static uint32_t descriptors_for_connections(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		failure_exit("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		failure_exit("setrlimit");
	return limit.rlim_max > INT_MAX ? INT_MAX : (uint32_t)limit.rlim_max - SPARE_DESCRIPTORS;
}

static void fill_in(struct options *options)
{
	uint32_t limit = descriptors_for_connections();
	uint64_t total;

	if (!options->connections && options->duration_s <= 0)
		options->connections = 1;
	/*
	 * This is not checked with --from, where the caller chooses the addresses: `first` is then
	 * outside of 127/8.
	 */
	if (options->first < SOURCES_MAX && options->sources > SOURCES_MAX - options->first)
		failure_usage("--skip", "beyond the last address");
	total = options->connections * options->sources;
	if (options->hold) {
		if (!total || total > limit)
			failure_usage("--hold", "more connections than descriptors");
		options->concurrency = (uint32_t)total;
	}
	if (!options->concurrency)
		options->concurrency =
			options->rate > 0 ? CONCURRENCY_RATE_DEFAULT : CONCURRENCY_DEFAULT;
	if (options->concurrency > limit)
		failure_usage("--concurrency", "more than descriptors");
	if (options->deadline_s <= 0)
		options->deadline_s = options->duration_s > 20 ? options->duration_s + 10 : 30;
}

void options_parse(int argc, char **argv, struct options *ret_options)
{
	struct options options = {.sources = SOURCES_DEFAULT};
	const char *target = NULL;
	int id;

	while ((id = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (id == OPTION_TARGET)
			target = optarg; /* It can only be parsed when the family is known. */
		else
			take_option(&options, id, optarg);
	if (optind != argc || !target)
		usage(stderr, EXIT_USAGE);
	options.target_length = values_target(target, options.family, &options.target);
	fill_in(&options);
	*ret_options = options;
}

/*
 * Write a request as a proxy forwards it. The clients that the proxy names are addresses of
 * 198.18/15, the range for benchmarks (RFC 2544).
 */
static void write_forwarded(uint32_t client, char request[REQUEST_MAX])
{
	snprintf(request, REQUEST_MAX,
		 "GET / HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 198.%u.%u.%u\r\n"
		 "Connection: close\r\n\r\n",
		 18 + (client >> 16 & 1), client >> 8 & 255, client & 255);
}

static void write_wait(uint32_t wait_ms, char request[REQUEST_MAX])
{
	snprintf(request, REQUEST_MAX,
		 "GET /?wait=%u HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", wait_ms);
}

void options_request(const struct options *options, uint32_t client, char ret_request[REQUEST_MAX])
{
	if (options->forwarded)
		write_forwarded(client, ret_request);
	else if (options->wait_ms)
		write_wait(options->wait_ms, ret_request);
	else
		snprintf(ret_request, REQUEST_MAX, "%s",
			 options->banner ? ""
			 : options->http
				 ? "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
				 : "\n");
}
