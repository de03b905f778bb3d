/* SPDX-License-Identifier: MIT */
/* Writes what is wrong with an instance, and what to type next. */
#ifndef STICKY_TERMINAL_STATUS_PROBLEMS_H
#define STICKY_TERMINAL_STATUS_PROBLEMS_H

#include <jansson.h>
#include <stdio.h>

/*
 * Write a line for each problem that the status document shows, at most five.
 *
 * begin, end  written before and behind each line: colours, or ""
 */
void status_problems(const json_t *status, const char *begin, const char *end, FILE *out);

#endif
