/* SPDX-License-Identifier: MIT */
/* The report on a configuration file that was read: its mistakes, and the place of each option. */
#ifndef STICKY_CONFIG_FILE_REPORT_H
#define STICKY_CONFIG_FILE_REPORT_H

#include <stddef.h>

#include "config/options.h"
#include "config/problems.h"

/* A place in the file, counted from 1. Line 0 stands for no place. */
struct file_place {
	size_t line;
	size_t column;
};

/* A report. All zero is the report of no file. problems_fini(&report->problems) frees it. */
struct file_report {
	struct problems problems;
	struct file_place places[OPTIONS_LIMIT]; /* places of the values, by option_index() */
	struct file_place command;
};

#endif
