// SPDX-License-Identifier: MIT
#include "arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

uint32_t arguments_number(const char *program, const char *text, uint32_t least, uint32_t most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || text[0] == '-' || value < least || value > most) {
		fprintf(stderr, "%s: not a number from %u to %u: %s\n", program, least, most, text);
		exit(BAD_ARGUMENT);
	}
	return (uint32_t)value;
}

void arguments_raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}
