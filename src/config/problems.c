// SPDX-License-Identifier: MIT
#include "config/problems.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/sanitize.h"

void problems_add(struct problems *problems, const char *format, ...)
{
	struct error_text line;
	va_list args;

	va_start(args, format);
	vsnprintf(line.text, sizeof(line.text), format, args);
	va_end(args);
	text_clean_line(line.text);
	if (problems->texts.count == PROBLEMS_MAX || string_list_add(&problems->texts, line.text))
		problems->more++;
}

size_t problems_count(const struct problems *problems)
{
	return problems->texts.count + problems->more;
}

void problems_sum_up(const struct problems *problems, const char *file, struct error_text *ret_text)
{
	size_t count = problems_count(problems);

	if (!count)
		return;
	error_text_set(ret_text, "%s",
		       problems->texts.count ? problems->texts.items[0] : "out of memory");
	if (count > 1)
		error_text_add(ret_text, "; %zu more: 'stickyctl check%s%s' names them", count - 1,
			       file ? " -c " : "", file ? file : "");
}

void problems_fini(struct problems *problems)
{
	string_list_fini(&problems->texts);
	problems->more = 0;
}
