/* SPDX-License-Identifier: MIT */
/* Writes the program's cost as JSON. */
#ifndef STICKY_BENCH_REPORT_H
#define STICKY_BENCH_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "cost.h"

/* Write every single value. Returns 0 or -errno. */
int report_write(const struct cost *costs, uint32_t count, FILE *file);

#endif
