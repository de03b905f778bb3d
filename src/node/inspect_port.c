// SPDX-License-Identifier: MIT
#include "node/inspect_port.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/node_command.h"

#define DEFAULT_PORT 9229
#define WORD_SIZE    512

/* Is the value of this option the next word? */
static bool has_value(const char *word)
{
	static const char *const options[] = {
		"-r", "--require",   "--import", "--loader", "--experimental-loader",
		"-C", "--conditions"};
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strcmp(word, options[i]))
			return true;
	return false;
}

/* Returns the length of the option's name; 0: it is no option for the debugger's port. */
static size_t name_length(const char *word)
{
	static const char *const options[] = {"--inspect", "--inspect-brk", "--inspect-wait",
					      "--inspect-port", "--debug-port"};
	size_t length = strcspn(word, "="), i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strlen(options[i]) == length && !memcmp(word, options[i], length))
			return length;
	return 0;
}

/*
 * Write the option with the slot added to its port. Its value is PORT, HOST:PORT or HOST; an IPv6
 * address stands in brackets.
 */
static void write_word(const char *word, size_t name, uint32_t slot, char text[WORD_SIZE])
{
	const char *value = word[name] ? word + name + 1 : "";
	const char *colon = strrchr(value, ':');
	const char *port = colon && !strchr(colon, ']') ? colon + 1 : value;
	bool has_port = *port && strspn(port, "0123456789") == strlen(port);
	unsigned long number = has_port ? strtoul(port, NULL, 10) : DEFAULT_PORT;
	int host = has_port ? (int)(port - value) : (int)strlen(value);

	if (!number || number + slot > UINT16_MAX)
		snprintf(text, WORD_SIZE, "%s", word);
	else
		snprintf(text, WORD_SIZE, "%.*s=%.*s%s%lu", (int)name, word, host, value,
			 host && !has_port ? ":" : "", number + slot);
}

static int add_word(const char *word, uint32_t slot, struct string_list *words)
{
	size_t name = name_length(word);
	char text[WORD_SIZE];

	if (!name || !slot || strlen(word) > WORD_SIZE - 16)
		return string_list_add(words, word);
	write_word(word, name, slot, text);
	return string_list_add(words, text);
}

int inspect_port_words(char *const *command, uint32_t slot, struct string_list *ret_words)
{
	char *const *program = node_command_program(command);
	bool is_option = node_command_is_named_node(*program);
	struct string_list words = {0};
	char *const *word;
	int error = 0;

	for (word = command; *word && !error; word++) {
		if (word > program)
			is_option = is_option && ((*word)[0] == '-' ||
						  (word > program + 1 && has_value(word[-1])));
		error = is_option && word > program ? add_word(*word, slot, &words)
						    : string_list_add(&words, *word);
	}
	if (error)
		string_list_fini(&words);
	else
		*ret_words = words;
	return error;
}
