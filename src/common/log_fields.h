/* SPDX-License-Identifier: MIT */
/* The fields of a log line's text. Pure. */
#ifndef STICKY_COMMON_LOG_FIELDS_H
#define STICKY_COMMON_LOG_FIELDS_H

#include <jansson.h>

/*
 * Read "key=value key=\"a value\"" as a JSON object. A value that is a whole number becomes a
 * number. A text of another form becomes {"message": text}. The text must be UTF-8.
 *
 * Returns NULL if memory is short.
 */
json_t *log_fields_parse(const char *text);

#endif
