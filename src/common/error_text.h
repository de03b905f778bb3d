/* SPDX-License-Identifier: MIT */
/* The form in which a function gives an error message to its caller, in addition to -errno. */
#ifndef STICKY_COMMON_ERROR_TEXT_H
#define STICKY_COMMON_ERROR_TEXT_H

/* The room for a message that names a long path. The rest of a longer message is cut off. */
#define ERROR_TEXT_SIZE 1024

/*
 * An error message: what is wrong and, if known, what the user can do about it. The text does not
 * end with a newline. A function that can fail has it as its last parameter, ret_error, and sets it
 * only if the function fails.
 */
struct error_text {
	char text[ERROR_TEXT_SIZE];
};

/* Write the message. `format` is that of printf(); its arguments must not be parts of ret_error. */
void error_text_set(struct error_text *ret_error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Add to the end of the message, in the same way. */
void error_text_add(struct error_text *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Put "; " in place of each newline, for a message that stands in one line of the log. A message
 * that becomes too long is cut off.
 */
void error_text_join_lines(struct error_text *error);

#endif
