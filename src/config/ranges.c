// SPDX-License-Identifier: MIT
#include "config/ranges.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error_text.h"
#include "common/prefixes.h"
#include "common/regular_file.h"

#define FILE_SIZE_MAX (4 << 20) /* bytes: 16384 ranges, with comments */

static int add(struct ranges *ranges, const struct sticky_prefix *prefix)
{
	struct sticky_prefix *list;

	if (ranges->count == STICKY_PROXIES_LIMIT)
		return -E2BIG;
	/*
	 * The room doubles each time it is full. The list of a cloud provider has thousands of
	 * ranges.
	 */
	if (!(ranges->count & (ranges->count - 1))) {
		list = realloc(ranges->list,
			       (ranges->count ? 2 * ranges->count : 1) * sizeof(*list));
		if (!list)
			return -ENOMEM;
		ranges->list = list;
	}
	ranges->list[ranges->count++] = *prefix;
	return 0;
}

static int add_text(struct ranges *ranges, const char *text)
{
	struct sticky_prefix prefix;

	return prefix_parse(text, &prefix) ? -EINVAL : add(ranges, &prefix);
}

/* Returns the only word of a line, "" if the line has none, or NULL if it has more than one. */
static const char *word_of(char *line)
{
	char *end;

	line[strcspn(line, "#\r\n")] = '\0';
	line += strspn(line, " \t");
	end = line + strcspn(line, " \t");
	if (end[strspn(end, " \t")])
		return NULL;
	*end = '\0';
	return line;
}

static int complain(int error, const char *where, struct error_text *ret_error)
{
	error_text_set(ret_error, "--trusted-proxy: %s: %s", where,
		       error == -EINVAL	 ? "not a range like 203.0.113.0/24 or 2001:db8::/32"
		       : error == -E2BIG ? "more than 16384 ranges in all"
					 : strerror(-error));
	return error;
}

static int add_lines(struct ranges *ranges, FILE *file, const char *path,
		     struct error_text *ret_error)
{
	char *line = NULL, where[512];
	const char *word;
	size_t size = 0, number = 0;
	int error = 0;

	errno = 0;
	while (!error && getline(&line, &size, file) >= 0) {
		number++;
		word = word_of(line);
		if (!word)
			error = -EINVAL;
		else if (*word)
			error = add_text(ranges, word);
	}
	/*
	 * After a read error the list would be too short, and proxies that are missing in it would
	 * not be trusted.
	 */
	if (!error && !feof(file))
		error = errno ? -errno : -EIO;
	free(line);
	if (!error)
		return 0;
	snprintf(where, sizeof(where), "%.400s:%zu", path, number);
	return complain(error, where, ret_error);
}

static int add_file(struct ranges *ranges, const char *path, struct error_text *ret_error)
{
	FILE *file;
	int error = regular_file_open(path, FILE_SIZE_MAX, &file);

	if (error) {
		error_text_set(ret_error, "--trusted-proxy: %s: %s", path,
			       regular_file_error(error));
		return error;
	}
	error = add_lines(ranges, file, path, ret_error);
	fclose(file);
	return error;
}

static int add_defaults(struct ranges *ranges)
{
	const struct sticky_prefix *defaults;
	size_t count, i;
	int error = 0;

	defaults = prefixes_default(&count);
	for (i = 0; i < count && !error; i++)
		error = add(ranges, &defaults[i]);
	return error;
}

int ranges_read(const struct string_list *words, struct ranges *ret_ranges,
		struct error_text *ret_error)
{
	struct ranges ranges = {0};
	size_t i;
	int error = 0;

	if (!words->count && (error = add_defaults(&ranges)))
		complain(error, "default ranges", ret_error);
	for (i = 0; i < words->count && !error; i++) {
		const char *word = words->items[i];

		if (word[0] == '@')
			error = add_file(&ranges, word + 1, ret_error);
		else if ((error = add_text(&ranges, word)))
			complain(error, word, ret_error);
	}
	if (error) {
		ranges_fini(&ranges);
		return error;
	}
	*ret_ranges = ranges;
	return 0;
}

void ranges_fini(struct ranges *ranges)
{
	free(ranges->list);
	*ranges = (struct ranges){0};
}
