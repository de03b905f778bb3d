// SPDX-License-Identifier: MIT
/* The first steps of the start: name, user, directory, seed, limits. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error_text.h"
#include "common/exit_code.h"
#include "common/log.h"
#include "rights/trusted_path.h"
#include "controller/controller_internal.h"
#include "state/seed.h"

int controller_take_name(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	struct error_text error;
	pid_t pid = 0;
	int result = rundir_take(config->run_dir, config->name, &controller->rundir, &pid, &error);

	if (!result)
		return EXIT_DONE;
	if (result == -EEXIST) {
		controller_complain("an instance named '%s' is running already, pid %d\n"
				    "stop it by 'stickyctl stop', or name another one by -n",
				    config->name, pid);
		return EXIT_ALREADY_RUNNING;
	}
	/* These errors already say what the user can do. */
	if (result == -EBUSY || result == -ENAMETOOLONG)
		controller_complain("%s", error.text);
	else
		controller_complain("%s\nname a directory that this user can write to by "
				    "--run-dir, or STICKYCTL_RUN_DIR: here, and for all commands",
				    error.text);
	if (result == -ENAMETOOLONG)
		return EXIT_USAGE;
	return result == -EPERM || result == -EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

/*
 * Warn if others can change the configuration file. It names the user that workers run as, and
 * their command: others could have any program run with the controller's rights at the next start.
 */
static void warn_of_config(const struct controller *controller)
{
	const char *file = controller->instance.config->file;
	struct stat status;

	if (!controller->identity.change || !file || stat(file, &status))
		return;
	if (trusted_path(file) && (status.st_uid == 0 || status.st_uid == geteuid()) &&
	    !(status.st_mode & (S_IWGRP | S_IWOTH)))
		return;
	report(STICKY_LOG_WARN, "config_not_safe",
	       "file=\"%s\" why=\"another user can change it, or a directory or link on the way to "
	       "it\" "
	       "so=\"this user can have any command run with stickyctl's rights\"",
	       file);
}

int controller_find_identity(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	struct error_text error;
	int result;

	if (!config->command)
		return EXIT_DONE;
	result = identity_find(config->identity.user, &controller->identity, &error);
	if (result) {
		controller_complain("%s", error.text);
		return result == -EPERM ? EXIT_NOT_PERMITTED : EXIT_USAGE;
	}
	result = identity_try(&controller->identity, &error);
	if (result) {
		controller_complain("%s", error.text);
		return result == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED;
	}
	controller->rights = identity_rights(&controller->identity);
	if (controller->identity.change)
		report(STICKY_LOG_INFO, "workers_run_as", "user=%s uid=%u gid=%u because=%s",
		       controller->identity.name, controller->identity.uid,
		       controller->identity.gid, config->identity.user ? "--user" : "sudo");
	if (config->identity.user)
		warn_of_config(controller);
	return EXIT_DONE;
}

/*
 * Find the directory in which stickyctl was started. $PWD keeps symbolic links as they were typed:
 * if a link is changed to a new release, workers started later run in that one.
 */
static void find_here(char here[CONTROLLER_PATH_SIZE])
{
	const char *typed = getenv("PWD");
	struct stat dot, there;

	if (typed && typed[0] == '/' && strlen(typed) < CONTROLLER_PATH_SIZE &&
	    !stat(typed, &there) && !stat(".", &dot) && dot.st_dev == there.st_dev &&
	    dot.st_ino == there.st_ino) {
		strcpy(here, typed);
		return;
	}
	if (!getcwd(here, CONTROLLER_PATH_SIZE))
		here[0] = '\0'; /* the directory was removed, or is not visible */
}

int controller_choose_directory(const struct controller *controller, const char *chosen,
				char ret_directory[CONTROLLER_PATH_SIZE],
				struct error_text *ret_error)
{
	bool is_absolute = chosen && chosen[0] == '/';
	const char *here = is_absolute ? "" : controller->here;

	if (!is_absolute && !here[0]) {
		error_text_set(ret_error,
			       "the present directory can't be found: %s\nname one by --chdir",
			       strerror(ENOENT));
		return -ENOENT;
	}
	if ((size_t)snprintf(ret_directory, CONTROLLER_PATH_SIZE, "%s%s%s", here,
			     chosen && here[0] ? "/" : "",
			     chosen ? chosen : "") >= CONTROLLER_PATH_SIZE) {
		error_text_set(ret_error, "--chdir: the name is too long");
		return -ENAMETOOLONG;
	}
	return 0;
}

int controller_find_directory(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	struct error_text error;
	int result;

	if (!config->command)
		return EXIT_DONE;
	find_here(controller->here);
	result = controller_choose_directory(controller, config->identity.chdir,
					     controller->directory, &error);
	if (!result)
		return EXIT_DONE;
	controller_complain("%s", error.text);
	return result == -ENOENT ? EXIT_FAILED : EXIT_USAGE;
}

int controller_obtain_seed(struct controller *controller)
{
	const struct config *config = controller->instance.config;
	struct error_text error;
	int result = config->seed_file ? seed_read(config->seed_file, controller->seed, &error)
				       : seed_obtain(config->state_dir, config->name,
						     controller->seed, &error);

	if (result == 1) {
		report(STICKY_LOG_WARN, "seed_not_kept",
		       "why=\"%s\" so=\"clients get other workers after a restart\"", error.text);
		return EXIT_DONE;
	}
	if (result)
		controller_complain("%s", error.text);
	return result ? result == -EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED : EXIT_DONE;
}

/*
 * Raise the limit of open descriptors as far as allowed: each slot needs some, and more of them
 * while its worker is replaced.
 */
void controller_raise_descriptor_limit(struct controller *controller)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &controller->nofile))
		return;
	limit = controller->nofile;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}
