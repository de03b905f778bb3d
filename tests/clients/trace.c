// SPDX-License-Identifier: MIT
#include "trace.h"

#include <stdlib.h>

#include "failure.h"
#include "heap.h"

/*
 * The buffer has room for some thousand lines. When it is full and written, the loop is blocked for
 * far less than a millisecond.
 */
#define BUFFER_SIZE (256 * 1024)

struct trace trace_open(const char *path)
{
	struct trace trace = {.path = path};

	if (!path)
		return trace;
	trace.file = fopen(path, "we");
	if (!trace.file)
		failure_exit("%s", path);
	trace.buffer = heap_allocate(BUFFER_SIZE, 1);
	setvbuf(trace.file, trace.buffer, _IOFBF, BUFFER_SIZE);
	return trace;
}

void trace_write(struct trace *trace, int64_t due_ns, int64_t latency_ns, enum outcome outcome)
{
	if (trace->file && fprintf(trace->file, "%lld %lld %s\n", (long long)(due_ns / 1000),
				   (long long)(latency_ns / 1000), outcome_names[outcome]) < 0)
		failure_exit("%s", trace->path);
}

void trace_close(struct trace *trace)
{
	if (trace->file && fclose(trace->file))
		failure_exit("%s", trace->path);
	trace->file = NULL;
	free(trace->buffer);
	trace->buffer = NULL;
}
