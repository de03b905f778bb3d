// SPDX-License-Identifier: MIT
#include "node/command_advice.h"

#include <string.h>

#include "node/instead.h"
#include "node/node_command.h"
#include "node/node_words.h"
#include "node/wrappers.h"

/* What is wrong with a command, as a sentence. */
struct fault {
	const char *subject;
	const char *text; /* NULL: nothing is wrong */
};

static const char its_child[] =
	"starts the application in a process of its own, which gets none of the sockets";

/* Look at the words behind `node`. */
static struct fault fault_of_node(char *const *word)
{
	if (node_words_are_watched(word))
		return (struct fault){"node --watch",
				      "starts the application in a process of its own; 'stickyctl "
				      "reload' restarts it"};
	if (node_words_run(word))
		return (struct fault){"node --run", its_child};
	if (node_words_lack_file(word))
		return (struct fault){"node", "with -e, or without a file, can't be the worker of "
					      "a cluster: write the code to a file"};
	return (struct fault){0};
}

static const char *fault_of_shell(const char *text)
{
	if (strstr(text, "exec node "))
		return "becomes Node.js only when it runs: leave it out, or say --worker=node";
	if (strstr(text, "node "))
		return "is not the application: Node.js would be its child";
	return NULL;
}

/* Is this Node.js, or one of the programs that start it? */
static bool starts_node(char *const *command, const struct advised *advised)
{
	return wrapper_find(command[0]) || wrapper_is_runner(command[0]) ||
	       node_words_is_script_name(command[0]) ||
	       node_command_is_node(command, advised->directory, advised->path);
}

/* Does a wrapper run another program than Node.js, for which it may be right? */
static bool runs_other(const struct wrapper *wrapper, char *const *command,
		       const struct advised *advised)
{
	char *const *behind = instead_behind_variables(command);

	if (!wrapper->may_be_other)
		return false;
	if (wrapper->sets == SETS_NOTHING)
		return advised->has_address;
	return behind && !starts_node(behind, advised);
}

static struct fault find_fault(char *const *command, const struct advised *advised)
{
	const struct wrapper *wrapper = wrapper_find(command[0]);
	struct fault fault = {wrapper_base_name(command[0]), NULL};
	bool is_shell_call = wrapper_is_shell(command[0]) && command[1] &&
			     !strcmp(command[1], "-c") && command[2];

	if (node_command_is_named_node(command[0]))
		return fault_of_node(command + 1);
	if (wrapper_is_runner(command[0]))
		fault.text = its_child;
	else if (wrapper && !runs_other(wrapper, command, advised))
		fault.text = wrapper->what;
	else if (is_shell_call && !advised->has_address)
		fault.text = fault_of_shell(command[2]);
	else if (node_words_is_script_name(command[0]) &&
		 !node_command_is_program(command[0], advised->directory, advised->path))
		fault.text = "is a script, and no program that can be started";
	return fault;
}

bool advice_of_command(char *const *command, const struct advised *advised,
		       struct error_text *ret_error)
{
	struct fault fault = find_fault(node_command_program(command), advised);

	if (!fault.text)
		return false;
	error_text_set(ret_error, "%s %s\n", fault.subject, fault.text);
	instead_add(command, advised->directory, advised->path, ret_error);
	return true;
}
