/* SPDX-License-Identifier: MIT */
/* What the reader of a configuration file tells of it: mistakes, and the place of each option. */
#ifndef STICKY_CONFIG_FILE_REPORT_H
#define STICKY_CONFIG_FILE_REPORT_H

#include <stddef.h>

#include "config/options.h"
#include "config/problems.h"

/* A place in the file, from 1 on. line 0: there is none. */
struct file_place {
	size_t line;
	size_t column;
};

/* All zero is the report of no file. Freed by problems_fini(&report->problems). */
struct file_report {
	struct problems problems;
	struct file_place places[OPTIONS_LIMIT]; /* of values, by the options' indexes */
	struct file_place command;
};

#endif
