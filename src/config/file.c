// SPDX-License-Identifier: MIT
/*
 * Reads the configuration file as a document of libyaml. Each node knows its line and column, and
 * its text is given to the same function as a value of the command line. A mistake does not end the
 * reading, so that all mistakes of a file are reported at once. (A library that maps YAML to
 * structs would need a second description of every option.)
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "common/error_text.h"
#include "config/file_report.h"
#include "config/setting.h"

#define FILE_SIZE_MAX (1 << 20)
#define WHAT_SIZE     256 /* room for a part of an error message, in bytes */

/* The file being read, and the report that mistakes are added to. */
struct reading {
	struct config *config;
	const char *path;
	yaml_document_t document;
	struct file_report *report;
};

/*
 * The functions below return 0 also if they have found a mistake, so that the rest of the file is
 * read, too. Only an error that the file is not the cause of ends the reading.
 */
static int complain(const struct reading *reading, const yaml_node_t *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int complain(const struct reading *reading, const yaml_node_t *node, const char *format, ...)
{
	char what[WHAT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	problems_add(&reading->report->problems, "%.200s:%zu:%zu: %s", reading->path,
		     node->start_mark.line + 1, node->start_mark.column + 1, what);
	return 0;
}

static struct file_place place_of(const yaml_node_t *node)
{
	return (struct file_place){node->start_mark.line + 1, node->start_mark.column + 1};
}

static yaml_node_t *node_at(struct reading *reading, int index)
{
	return yaml_document_get_node(&reading->document, index);
}

/* Returns a node's text, or NULL if the node is not a text or contains a NUL byte. */
static const char *text_of(const yaml_node_t *node)
{
	const char *text;

	if (node->type != YAML_SCALAR_NODE)
		return NULL;
	text = (const char *)node->data.scalar.value;
	return strlen(text) == node->data.scalar.length ? text : NULL;
}

/* Returns true for the value of a key without one, such as `workers:`. */
static bool is_empty(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && !node->data.scalar.length &&
	       node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static int set(struct reading *reading, const struct config_option *option, const yaml_node_t *node,
	       const char *value)
{
	char origin[WHAT_SIZE + OPTION_SPELLED_SIZE], name[OPTION_SPELLED_SIZE];
	struct error_text what;
	int error;

	option_spell(option, name);
	snprintf(origin, sizeof(origin), "%.200s:%zu:%zu: %s", reading->path,
		 node->start_mark.line + 1, node->start_mark.column + 1, name);
	error = setting_apply(reading->config, option, value, origin, &what);
	if (error != -EINVAL)
		return error;
	problems_add(&reading->report->problems, "%s", what.text);
	return 0;
}

static int set_scalar(struct reading *reading, const struct config_option *option,
		      const yaml_node_t *node)
{
	const char *value = text_of(node);
	char name[OPTION_SPELLED_SIZE];

	option_spell(option, name);
	if (is_empty(node))
		return complain(reading, node, "%s: a value is missing", name);
	if (!value)
		return complain(reading, node, "%s: one value is wanted: %s", name,
				option->doc.arg);
	return set(reading, option, node, value);
}

static int set_items(struct reading *reading, const struct config_option *option,
		     const yaml_node_t *list)
{
	const yaml_node_item_t *item;
	int error = 0;

	for (item = list->data.sequence.items.start; item < list->data.sequence.items.top && !error;
	     item++)
		error = set_scalar(reading, option, node_at(reading, *item));
	return error;
}

/*
 * Report a key that its mapping has twice. libyaml accepts such a key without an error, and one of
 * the two values would have no effect. Returns true if the key is the first one of its name.
 */
static bool is_first(struct reading *reading, const yaml_node_t *mapping,
		     const yaml_node_pair_t *second)
{
	const yaml_node_t *key = node_at(reading, second->key);
	const yaml_node_pair_t *first;

	for (first = mapping->data.mapping.pairs.start; first < second && text_of(key); first++) {
		const yaml_node_t *other = node_at(reading, first->key);

		if (!text_of(other) || strcmp(text_of(other), text_of(key)) != 0)
			continue;
		complain(reading, key, "%.100s: given a second time, first in line %zu",
			 text_of(key), other->start_mark.line + 1);
		return false;
	}
	return true;
}

static int set_pair(struct reading *reading, const struct config_option *option,
		    const yaml_node_t *key, const yaml_node_t *value)
{
	char *assignment;
	int error;

	if (!text_of(key) || !text_of(value))
		return complain(reading, key, "%s: NAME: VALUE is wanted, both texts",
				option->doc.name);
	if (asprintf(&assignment, "%s=%s", text_of(key), text_of(value)) < 0)
		return -ENOMEM;
	error = set(reading, option, key, assignment);
	free(assignment);
	return error;
}

/* Set `env` from a mapping, {NAME: VALUE}. */
static int set_pairs(struct reading *reading, const struct config_option *option,
		     const yaml_node_t *mapping)
{
	const yaml_node_pair_t *pair;
	int error = 0;

	for (pair = mapping->data.mapping.pairs.start;
	     pair < mapping->data.mapping.pairs.top && !error; pair++)
		if (is_first(reading, mapping, pair))
			error = set_pair(reading, option, node_at(reading, pair->key),
					 node_at(reading, pair->value));
	return error;
}

static int set_option(struct reading *reading, const struct config_option *option,
		      const yaml_node_t *value)
{
	reading->report->places[option_index(option)] = place_of(value);
	if (value->type == YAML_SEQUENCE_NODE && option_is_list(option))
		return set_items(reading, option, value);
	if (value->type == YAML_MAPPING_NODE && option->kind == KIND_ASSIGNMENTS)
		return set_pairs(reading, option, value);
	return set_scalar(reading, option, value);
}

/*
 * Set the command from a list of words. A text with white space is refused: no shell splits it, and
 * it would not be clear whether a space separates words or belongs to one.
 */
static int set_command(struct reading *reading, const yaml_node_t *value)
{
	struct string_list *command = &reading->config->file_command;
	const yaml_node_item_t *item;
	int error = 0;

	reading->report->command = place_of(value);
	if (text_of(value) && !is_empty(value) && !strpbrk(text_of(value), " \t\n"))
		return string_list_add(command, text_of(value));
	if (value->type != YAML_SEQUENCE_NODE ||
	    value->data.sequence.items.start == value->data.sequence.items.top)
		return complain(reading, value,
				"command: a list of its words is wanted, as in [node, server.js]");
	for (item = value->data.sequence.items.start;
	     item < value->data.sequence.items.top && !error; item++) {
		const yaml_node_t *word = node_at(reading, *item);

		error = text_of(word) ? string_list_add(command, text_of(word))
				      : complain(reading, word, "command: not a text");
	}
	return error;
}

/*
 * Report a key that is no option. The nearest option is named as in the file, with '_' instead of
 * '-'.
 */
static int complain_of_key(const struct reading *reading, const yaml_node_t *key, const char *name)
{
	const struct config_option *nearest = option_nearest(name, strlen(name));
	char spelled[OPTION_SPELLED_SIZE];

	if (!nearest)
		return complain(reading, key, "'%.100s' is no option; see stickyctl start --help",
				name);
	option_spell(nearest, spelled);
	return complain(reading, key, "'%.100s' is no option; did you mean '%s'?", name, spelled);
}

static int set_entry(struct reading *reading, const yaml_node_t *key, const yaml_node_t *value)
{
	const char *name = text_of(key);
	const struct config_option *option;

	if (!name)
		return complain(reading, key, "the name of an option is wanted here");
	if (!strcmp(name, "command"))
		return set_command(reading, value);
	option = option_by_spelling(name, strlen(name), tolower);
	if (!option)
		return complain_of_key(reading, key, name);
	if (option->doc.key == 'c')
		return complain(reading, key, "a file can't name another one");
	return set_option(reading, option, value);
}

static int set_all(struct reading *reading)
{
	const yaml_node_t *root = yaml_document_get_root_node(&reading->document);
	const yaml_node_pair_t *pair;
	int error = 0;

	if (!root || is_empty(root))
		return 0; /* the file is empty, or has only comments */
	if (root->type != YAML_MAPPING_NODE)
		return complain(reading, root,
				"'name: value' lines are wanted, as in 'workers: 4'");
	for (pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top && !error;
	     pair++)
		if (is_first(reading, root, pair))
			error = set_entry(reading, node_at(reading, pair->key),
					  node_at(reading, pair->value));
	return error;
}

/* Returns a hint for a common mistake: an address such as [::1]:80 begins a list in YAML. */
static const char *hint_for(const yaml_parser_t *parser)
{
	bool is_flow = parser->context && strstr(parser->context, "flow");
	bool is_alias = parser->problem && strstr(parser->problem, "alias");

	return is_flow || is_alias ? "; a value that begins with [, { or * needs quotes" : "";
}

static int complain_of_syntax(const struct reading *reading, const yaml_parser_t *parser)
{
	const char *problem = parser->problem ? parser->problem : "not YAML";

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	/* If a byte is not UTF-8, libyaml reports an offset, but no line. */
	if (parser->error == YAML_READER_ERROR)
		problems_add(&reading->report->problems, "%.200s: byte %zu: %s", reading->path,
			     parser->problem_offset, problem);
	else
		problems_add(&reading->report->problems, "%.200s:%zu:%zu: %s%s%s%s", reading->path,
			     parser->problem_mark.line + 1, parser->problem_mark.column + 1,
			     problem, parser->context ? " " : "",
			     parser->context ? parser->context : "", hint_for(parser));
	return 0;
}

static int refuse_second_document(struct reading *reading, yaml_parser_t *parser)
{
	yaml_document_t second;
	const yaml_node_t *root;
	int error = 0;

	if (!yaml_parser_load(parser, &second))
		return complain_of_syntax(reading, parser);
	root = yaml_document_get_root_node(&second);
	if (root)
		error = complain(reading, root, "a second document: the file must have one only");
	yaml_document_delete(&second);
	return error;
}

static int parse(struct config *config, const char *path, const char *text, size_t length,
		 struct file_report *report)
{
	struct reading reading = {.config = config, .path = path, .report = report};
	yaml_parser_t parser;
	int error;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	if (yaml_parser_load(&parser, &reading.document)) {
		error = set_all(&reading);
		if (!error && yaml_document_get_root_node(&reading.document))
			error = refuse_second_document(&reading, &parser);
		yaml_document_delete(&reading.document);
	} else {
		error = complain_of_syntax(&reading, &parser);
	}
	yaml_parser_delete(&parser);
	return error ? error : problems_count(&report->problems) ? -EBADMSG : 0;
}

/*
 * Read a regular file. Other files are refused: reading a pipe could block, and the pipe would be
 * empty at the next reload. Returns the length in bytes, or -errno.
 */
static ssize_t read_regular(int fd, char *text, size_t room)
{
	struct stat status;
	size_t length = 0;
	ssize_t part = 1;

	if (fstat(fd, &status))
		return -errno;
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	while (length < room && part > 0) {
		part = read(fd, text + length, room - length);
		if (part > 0)
			length += (size_t)part;
	}
	if (part < 0)
		return -errno;
	return length < room ? (ssize_t)length : -EFBIG;
}

static ssize_t read_file(const char *path, char **ret_text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t length;

	if (fd < 0)
		return -errno;
	*ret_text = malloc(FILE_SIZE_MAX);
	length = *ret_text ? read_regular(fd, *ret_text, FILE_SIZE_MAX) : -ENOMEM;
	close(fd);
	return length;
}

int config_set_from_file(struct config *config, const char *path, struct file_report *report)
{
	char *text = NULL;
	ssize_t length = read_file(path, &text);
	int error = length < 0 ? (int)length : parse(config, path, text, (size_t)length, report);

	free(text);
	if (length < 0)
		problems_add(&report->problems, "cannot read %.300s: %s", path,
			     error == -EINVAL  ? "not a regular file"
			     : error == -EFBIG ? "larger than 1 MiB"
					       : strerror(-error));
	else if (error == -ENOMEM)
		problems_add(&report->problems, "%.300s: out of memory", path);
	return error;
}
