// SPDX-License-Identifier: MIT
#include "node/wrappers.h"

#include <stddef.h>
#include <string.h>

static const char its_child[] = "starts the application in a process of its own";
static const char not_node[] = "is not Node.js, and can't be the worker of a Node.js cluster";

static const struct wrapper wrappers[] = {
	{.name = "nodemon",
	 .what = "starts the application in a process of its own; 'stickyctl reload' restarts it",
	 .node = "node"},
	{.name = "tsx", .what = its_child, .node = "node --import tsx"},
	{.name = "ts-node-dev", .what = its_child, .node = "node -r ts-node/register"},
	{.name = "tsnd", .what = its_child, .node = "node -r ts-node/register"},
	{.name = "pm2",
	 .what = "starts the application elsewhere; stickyctl takes its place",
	 .node = "node"},
	{.name = "pm2-runtime",
	 .what = "starts the application as its child; stickyctl takes its place",
	 .node = "node"},
	{.name = "forever",
	 .what = "starts the application in a process of its own; stickyctl takes its place",
	 .node = "node"},
	{.name = "bun", .what = not_node, .node = "node", .may_be_other = true},
	{.name = "deno", .what = not_node, .node = "node", .may_be_other = true},
	{.name = "cross-env", .what = its_child, .sets = SETS_WORDS},
	{.name = "cross-env-shell", .what = its_child, .sets = SETS_WORDS},
	{.name = "env-cmd", .what = its_child, .sets = SETS_FILE},
	{.name = "dotenvx", .what = its_child, .sets = SETS_FILE, .may_be_other = true},
	/* Python has a dotenv, too, which becomes the command. */
	{.name = "dotenv", .what = its_child, .sets = SETS_FILE, .may_be_other = true},
};

const char *wrapper_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_named(const char *program, const char *const *names)
{
	const char *name = wrapper_base_name(program);

	while (*names && strcmp(name, *names))
		names++;
	return *names != NULL;
}

const struct wrapper *wrapper_find(const char *program)
{
	size_t i;

	for (i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++)
		if (!strcmp(wrapper_base_name(program), wrappers[i].name))
			return &wrappers[i];
	return NULL;
}

bool wrapper_is_runner(const char *program)
{
	static const char *const runners[] = {"npm", "npx", "yarn", "pnpm", "pnpx", NULL};

	return is_named(program, runners);
}

bool wrapper_is_shell(const char *program)
{
	static const char *const shells[] = {"sh", "bash", "dash", "ash", "zsh", NULL};

	return is_named(program, shells);
}
