// SPDX-License-Identifier: MIT
#include "process/filter_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind/bind_install.h"
#include "common/exit_code.h"

/*
 * Behind the command come these four numbers, the files to try, the words of the worker's command,
 * and variables.
 */
enum number { NUMBER_STATUS, NUMBER_CHANNEL, NUMBER_FILES, NUMBER_WORDS, NUMBER_COUNT };

#define NUMBER_SIZE  24 /* digits, and a NUL */
#define FIRST_NUMBER 2	/* behind "stickyctl" and the command */
#define FIRST_FILE   (FIRST_NUMBER + NUMBER_COUNT)

static size_t count_of(char *const *list)
{
	size_t count = 0;

	while (list[count])
		count++;
	return count;
}

/* ---- Before the fork ------------------------------------------------------------------ */

static char *number_of(const struct filter_exec *exec, enum number number)
{
	return exec->numbers + (size_t)number * NUMBER_SIZE;
}

/*
 * The variables of the dynamic loader are meant for the worker's program, and must not choose the
 * libraries of the program in between. So they are passed as arguments. Other variables are not, as
 * every user can read the arguments of a process.
 */
static bool is_of_the_loader(const char *variable)
{
	return !strncmp(variable, "LD_", 3);
}

static void split_environment(char *const *variables, char **arguments, char **environment)
{
	for (; *variables; variables++)
		if (is_of_the_loader(*variables))
			*arguments++ = *variables;
		else
			*environment++ = *variables;
}

static void fill(const struct spawn_request *request, const struct filter_exec *exec, size_t files,
		 size_t words)
{
	static char program[] = "stickyctl", command[] = FILTER_EXEC_COMMAND;
	char **at = exec->arguments + FIRST_FILE;
	int i;

	exec->arguments[0] = program;
	exec->arguments[1] = command;
	for (i = 0; i < NUMBER_COUNT; i++)
		exec->arguments[FIRST_NUMBER + i] = number_of(exec, i);
	snprintf(number_of(exec, NUMBER_FILES), NUMBER_SIZE, "%zu", files);
	snprintf(number_of(exec, NUMBER_WORDS), NUMBER_SIZE, "%zu", words);
	memcpy(at, request->files, files * sizeof(*at));
	memcpy(at + files, request->argv, words * sizeof(*at));
	split_environment(request->envp, at + files + words, exec->environment);
}

int filter_exec_init(const struct spawn_request *request, struct filter_exec *ret_exec)
{
	size_t files = count_of(request->files), words = count_of(request->argv);
	size_t variables = count_of(request->envp), all = FIRST_FILE + files + words + variables;
	struct filter_exec exec = {
		.arguments = calloc(all + 1, sizeof(*exec.arguments)),
		.environment = calloc(variables + 1, sizeof(*exec.environment)),
		.numbers = calloc(NUMBER_COUNT, NUMBER_SIZE),
	};

	if (!exec.arguments || !exec.environment || !exec.numbers) {
		filter_exec_fini(&exec);
		return -ENOMEM;
	}
	fill(request, &exec, files, words);
	*ret_exec = exec;
	return 0;
}

void filter_exec_fini(struct filter_exec *exec)
{
	free(exec->arguments);
	free(exec->environment);
	free(exec->numbers);
	*exec = (struct filter_exec){0};
}

/* ---- In the child --------------------------------------------------------------------- */

int filter_exec_run(const struct filter_exec *exec, int status, int channel)
{
	spawn_write_number(number_of(exec, NUMBER_STATUS), status);
	spawn_write_number(number_of(exec, NUMBER_CHANNEL), channel);
	if (fcntl(status, F_SETFD, 0) || fcntl(channel, F_SETFD, 0))
		return -errno;
	execve("/proc/self/exe", exec->arguments, exec->environment);
	return -errno;
}

/* ---- In the program in between ------------------------------------------------------------ */

struct plan {
	int status, channel;
	char **files, **words, **environment; /* each ends with NULL */
};

/* Join two lists. Returns a list with NULL at its end; NULL: memory is short. */
static char **join(char **first, size_t first_count, char **second, size_t second_count)
{
	char **list = calloc(first_count + second_count + 1, sizeof(*list));

	if (!list)
		return NULL;
	memcpy(list, first, first_count * sizeof(*list));
	memcpy(list + first_count, second, second_count * sizeof(*list));
	return list;
}

static void free_plan(struct plan *plan)
{
	free(plan->files);
	free(plan->words);
	free(plan->environment);
}

static long number_at(char **argv, enum number number)
{
	return strtol(argv[FIRST_NUMBER - 1 + number], NULL, 10);
}

/* Read the arguments. argv has no "stickyctl" in front. Returns 0, -EINVAL or -ENOMEM. */
static int read_plan(int argc, char **argv, struct plan *ret_plan)
{
	long left = argc - (FIRST_FILE - 1), files, words;
	char **at = argv + FIRST_FILE - 1;

	if (left < 2)
		return -EINVAL;
	files = number_at(argv, NUMBER_FILES);
	words = number_at(argv, NUMBER_WORDS);
	if (files < 1 || words < 1 || files > left || words > left - files)
		return -EINVAL;
	*ret_plan = (struct plan){
		.status = (int)number_at(argv, NUMBER_STATUS),
		.channel = (int)number_at(argv, NUMBER_CHANNEL),
		.files = join(at, (size_t)files, at, 0),
		.words = join(at + files, (size_t)words, at, 0),
		.environment = join(environ, count_of(environ), at + files + words,
				    (size_t)(left - files - words)),
	};
	return ret_plan->files && ret_plan->words && ret_plan->environment ? 0 : -ENOMEM;
}

/* Close both descriptors at the next execve(). They had to stay open over the first one only. */
static int close_on_exec(const struct plan *plan)
{
	return fcntl(plan->status, F_SETFD, FD_CLOEXEC) || fcntl(plan->channel, F_SETFD, FD_CLOEXEC)
		       ? -errno
		       : 0;
}

int filter_exec_main(int argc, char **argv)
{
	struct plan plan = {0};
	int error = read_plan(argc, argv, &plan);

	if (!error)
		error = close_on_exec(&plan);
	if (error) {
		fprintf(stderr, "stickyctl: %s is started by 'stickyctl start' alone\n",
			FILTER_EXEC_COMMAND);
		free_plan(&plan);
		return EXIT_USAGE;
	}
	error = bind_install(plan.channel);
	if (error)
		spawn_fail(plan.status, SPAWN_FILTER, -error);
	spawn_fail(plan.status, SPAWN_EXEC, spawn_exec(plan.files, plan.words, plan.environment));
}
