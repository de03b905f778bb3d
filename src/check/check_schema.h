/* SPDX-License-Identifier: MIT */
/* Makes a JSON schema of the configuration file, for editors, from the table of options. */
#ifndef STICKY_CHECK_CHECK_SCHEMA_H
#define STICKY_CHECK_CHECK_SCHEMA_H

#include <jansson.h>

/* Returns the schema, to be freed by json_decref(); NULL: out of memory. */
json_t *check_schema(void);

#endif
