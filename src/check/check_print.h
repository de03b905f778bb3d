/* SPDX-License-Identifier: MIT */
/* Shows a configuration with the place that each value comes from. */
#ifndef STICKY_CHECK_CHECK_PRINT_H
#define STICKY_CHECK_CHECK_PRINT_H

#include <stdio.h>

#include "config/config.h"
#include "config/origins.h"

/*
 * Write each option's value as a line of a configuration file, with its origin as a comment. An
 * option without a value is written as a comment, with the value that stickyctl chooses. The values
 * of --env are not shown, as they may be secrets.
 */
void check_print(const struct config *config, const struct origins *origins, FILE *stream);

#endif
