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
	uint32_t first;	      /* index of the first of them: see sources_address() */
	uint64_t connections; /* of each source; 0: until the duration is over */
	uint32_t concurrency;
	bool hold;
	bool banner;
	bool http;
	bool forwarded;
	uint32_t wait_ms;  /* 0: the answer is wanted at once */
	double rate;	   /* connections begun in a second; 0: as fast as they end */
	double duration_s; /* 0: until all connections have been made */
	double deadline_s;
	double patience_s;    /* from SIGTERM on; 0: until the deadline */
	const char *map_path; /* NULL: none, as the next ones */
	const char *expect_path;
	const char *trace_path;
};

/*
 * Read it, fill in what it leaves open, and allow us as many descriptors as we may have.
 * Exits where it is wrong, or where it asks for help.
 */
void options_parse(int argc, char **argv, struct options *ret_options);

#define REQUEST_MAX 128

/* What a connection of a client sends, by the client's index; "" for nothing. */
void options_request(const struct options *options, uint32_t client, char ret_request[REQUEST_MAX]);

#endif
