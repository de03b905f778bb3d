/* SPDX-License-Identifier: MIT */
/* Cleans text that comes from outside: workers' status, file names, last output lines. Pure. */
#ifndef STICKY_COMMON_SANITIZE_H
#define STICKY_COMMON_SANITIZE_H

/*
 * Make a text safe for a terminal and for JSON, in place. Control characters, except line ends, and
 * bytes that are not UTF-8 become '?'. The bytes of a sequence that is cut off at the end also
 * become '?'.
 */
void text_clean(char *text);

#endif
