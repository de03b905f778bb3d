/* SPDX-License-Identifier: MIT */
/* Members of the controller's answers. One that is missing is an empty text, or 0. */
#ifndef STICKY_COMMON_JSON_FIELDS_H
#define STICKY_COMMON_JSON_FIELDS_H

#include <jansson.h>

static inline const char *field_text(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static inline unsigned long long field_number(const json_t *json, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(json, key));
}

#endif
