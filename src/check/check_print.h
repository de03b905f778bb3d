/* SPDX-License-Identifier: MIT */
/* Shows a configuration with the place that each value comes from. */
#ifndef STICKY_CHECK_CHECK_PRINT_H
#define STICKY_CHECK_CHECK_PRINT_H

#include <stdio.h>

#include "config/config.h"
#include "config/origins.h"

/*
 * Write each option's value as a line of a configuration file, with its origin as a comment. What
 * has no value of its own is a comment, too, with what stickyctl chooses. The values of --env are
 * not shown, as they may be secrets.
 */
void check_print(const struct config *config, const struct origins *origins, FILE *stream);

#endif
