/* SPDX-License-Identifier: MIT */
/* Checks whether there is a terminal that a screen can be drawn on. */
#ifndef STICKY_TERMINAL_TOP_TERMINAL_H
#define STICKY_TERMINAL_TOP_TERMINAL_H

#include "common/error_text.h"

/*
 * Look at stdin, stdout and TERM.
 *
 * ret_error  what is wrong, and what the user can do
 *
 * Returns 0; -ENOTTY: stdin or stdout is no terminal; -ENODEV: TERM names no known terminal, or one
 * that can't place its cursor.
 */
int top_terminal_check(struct error_text *ret_error);

#endif
