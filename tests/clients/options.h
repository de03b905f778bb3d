/* SPDX-License-Identifier: MIT */
/* The command line. */
#ifndef TESTS_CLIENTS_OPTIONS_H
#define TESTS_CLIENTS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sources.h"

struct options {
	struct sockaddr_storage target;
	socklen_t target_length;
	enum family family;
	uint32_t sources;
	uint32_t first;	      /* index of the first source: see sources_address() */
	uint64_t connections; /* number for each source; 0: until the duration is over */
	uint32_t concurrency;
	bool hold;
	bool banner;
	bool http;
	bool forwarded;
	uint32_t wait_ms;  /* 0: the answer is requested without a delay */
	double rate;	   /* connections begun in a second; 0: one begins when another one ends */
	double duration_s; /* 0: until all connections have been made */
	double deadline_s;
	double patience_s;    /* counted from SIGTERM; 0: until the deadline */
	const char *map_path; /* NULL: none; likewise the next two */
	const char *expect_path;
	const char *trace_path;
};

/*
 * Parse the command line, fill in defaults, and raise the limit of descriptors as far as allowed.
 * Exits if an option is wrong, or after --help.
 */
void options_parse(int argc, char **argv, struct options *ret_options);

#define REQUEST_MAX 128

/*
 * Write the request of a client's connection. It may contain the client's index. "": nothing is
 * sent.
 */
void options_request(const struct options *options, uint32_t client, char ret_request[REQUEST_MAX]);

#endif
