/* SPDX-License-Identifier: MIT */
/* The list of all mistakes that are found in a configuration. */
#ifndef STICKY_CONFIG_PROBLEMS_H
#define STICKY_CONFIG_PROBLEMS_H

#include <stddef.h>

#include "common/error_text.h"
#include "common/stringlist.h"

#define PROBLEMS_MAX 100 /* further mistakes are counted, but not kept */

/* All zero is an empty list. */
struct problems {
	struct string_list texts; /* one line each: the place, and what is wrong there */
	size_t more;		  /* mistakes that are not in the list */
};

/*
 * Add a mistake, as one line without control characters. If there is no memory for its text, the
 * mistake is only counted.
 */
void problems_add(struct problems *problems, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Returns how many mistakes were added. */
size_t problems_count(const struct problems *problems);

/*
 * Write the first mistake as one line, and how many others there are.
 *
 * file      names the file in the advice on the others; NULL: there is none
 * ret_text  untouched if there are no mistakes
 */
void problems_sum_up(const struct problems *problems, const char *file,
		     struct error_text *ret_text);

/* Free the texts. The list is empty afterwards. */
void problems_fini(struct problems *problems);

#endif
