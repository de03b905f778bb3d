// SPDX-License-Identifier: MIT
#include "failure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void failure_exit(enum exit_code code, const char *what)
{
	fprintf(stderr, "delay: %s: %s\n", what, strerror(errno));
	exit(code);
}
