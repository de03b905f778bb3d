/* SPDX-License-Identifier: MIT */
/* Words that come from outside: workers' status, names of files, last lines. Pure. */
#ifndef STICKY_COMMON_SANITIZE_H
#define STICKY_COMMON_SANITIZE_H

/*
 * Make a text fit to be shown and to be JSON, in place: control characters but for the line end,
 * and bytes that are no UTF-8, become '?'. A sequence that is cut at the end counts as none.
 */
void text_clean(char *text);

#endif
