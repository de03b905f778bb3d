/* SPDX-License-Identifier: MIT */
/* The one form of an error message that a function gives to its caller, beside -errno. */
#ifndef STICKY_COMMON_ERROR_TEXT_H
#define STICKY_COMMON_ERROR_TEXT_H

/* Room for a message that names a long path. What does not fit is cut off. */
#define ERROR_TEXT_SIZE 1024

/*
 * What is wrong and, where it can be said, what to do about it. No line end at its end. The last
 * parameter of a function, ret_error, is set on failure alone.
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

#endif
