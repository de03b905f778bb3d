/* SPDX-License-Identifier: MIT */
/*
 * A file with one line for each connection that has ended, `DUE_US LATENCY_US OUTCOME`: when it was
 * due, by CLOCK_MONOTONIC; the time from then to its end; its name in outcome_names. If the file
 * can't be written, the program ends: failure_exit().
 */
#ifndef TESTS_CLIENTS_TRACE_H
#define TESTS_CLIENTS_TRACE_H

#include <stdint.h>
#include <stdio.h>

#include "outcome.h"

struct trace {
	const char *path;
	FILE *file; /* NULL: no trace is wanted */
	char *buffer;
};

/* Open the trace. If path is NULL, trace_write() and trace_close() do nothing. */
struct trace trace_open(const char *path);

void trace_write(struct trace *trace, int64_t due_ns, int64_t latency_ns, enum outcome outcome);

void trace_close(struct trace *trace);

#endif
