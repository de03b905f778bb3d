/* SPDX-License-Identifier: MIT */
/* Reads members of the controller's answers. A missing member is read as an empty text, or as 0. */
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
