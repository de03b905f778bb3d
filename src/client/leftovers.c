// SPDX-License-Identifier: MIT
#include "client/leftovers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/leftover_sockets.h"
#include "common/clock.h"
#include "common/error_text.h"
#include "common/exit_code.h"
#include "state/pin_dir.h"
#include "state/rundir.h"
#include "state/state_file.h"

#define DELAY_DEFAULT_MS 60000 /* default of --hard-shutdown-delay */
#define AFTER_KILL_MS	 5000  /* time that a killed process may take to end */
#define NAMED_MAX	 16    /* number of workers that a message names at most */

struct leftover {
	struct worker_record record;
	int pidfd; /* -1: the worker has ended */
};

struct leftovers {
	struct leftover *workers;
	uint32_t count;
	struct state_file_content *content;
	struct leftover_processes processes; /* of the workers, as they were asked to end */
};

/* ---- Finding leftover workers ------------------------------------------------------------ */

/*
 * Open a pidfd of the worker. It is opened before the start time is compared: after that, the pidfd
 * still refers to the same process even if its pid is used again. Returns -1 if the worker has
 * ended.
 */
static int open_worker(const struct worker_record *record)
{
	int pidfd;

	if (!record->used || record->pid <= 1 || !record->process_start)
		return -1;
	pidfd = (int)syscall(SYS_pidfd_open, record->pid, 0);
	if (pidfd >= 0 && state_file_process_start(record->pid) != record->process_start) {
		close(pidfd);
		return -1;
	}
	return pidfd;
}

static void leftovers_fini(struct leftovers *leftovers)
{
	uint32_t i;

	for (i = 0; i < leftovers->count; i++)
		if (leftovers->workers[i].pidfd >= 0)
			close(leftovers->workers[i].pidfd);
	free(leftovers->workers);
	free(leftovers->content);
	leftover_processes_fini(&leftovers->processes);
	*leftovers = (struct leftovers){0};
}

static void add_workers(struct leftovers *leftovers)
{
	uint32_t i;

	for (i = 0; i < STATE_FILE_WORKERS; i++) {
		struct leftover *next = &leftovers->workers[leftovers->count];

		*next = (struct leftover){.record = leftovers->content->worker[i]};
		next->pidfd = open_worker(&next->record);
		leftovers->count += next->pidfd >= 0;
	}
}

/*
 * Find the workers that live on.
 *
 * with_sockets  also look for listening sockets of workers that have ended
 *
 * Returns false if there are none.
 */
static bool find(const char *directory, bool with_sockets, struct leftovers *ret_leftovers)
{
	struct leftovers leftovers = {0};
	char path[RUNDIR_PATH_SIZE];

	if (rundir_file(directory, "slots", sizeof(path), path) ||
	    state_file_read(path, &leftovers.content))
		return false;
	leftovers.workers = calloc(STATE_FILE_WORKERS, sizeof(*leftovers.workers));
	if (leftovers.workers)
		add_workers(&leftovers);
	if (leftovers.count || (with_sockets && leftover_sockets_listen(leftovers.content))) {
		*ret_leftovers = leftovers;
		return true;
	}
	leftovers_fini(&leftovers);
	return false;
}

/* ---- Telling ----------------------------------------------------------------------------- */

static void print_workers(const struct leftovers *leftovers)
{
	uint32_t i;

	for (i = 0; i < leftovers->count && i < NAMED_MAX; i++)
		fprintf(stderr, "%sslot %u pid %d", i ? ", " : "",
			leftovers->workers[i].record.slot, leftovers->workers[i].record.pid);
	if (leftovers->count > NAMED_MAX)
		fprintf(stderr, " and %u more", leftovers->count - NAMED_MAX);
}

uint32_t leftovers_count(const char *directory)
{
	struct leftovers leftovers;
	uint32_t count;

	if (rundir_is_taken(directory) || !find(directory, false, &leftovers))
		return 0;
	count = leftovers.count;
	leftovers_fini(&leftovers);
	return count;
}

/* The options that name this instance. */
static void print_options(const struct config *config)
{
	if (strcmp(config->name, "default") != 0)
		fprintf(stderr, " -n %s", config->name);
	if (config->run_dir)
		fprintf(stderr, " --run-dir %s", config->run_dir);
}

bool leftovers_tell(const struct config *config)
{
	char directory[RUNDIR_PATH_SIZE];
	struct leftovers leftovers;

	if (rundir_locate(config->run_dir, config->name, directory) || rundir_is_taken(directory) ||
	    !find(directory, false, &leftovers))
		return false;
	fprintf(stderr,
		"stickyctl: the controller of '%s' has died, and its workers serve on without it: ",
		config->name);
	print_workers(&leftovers);
	fputs("\n'stickyctl start' with the same arguments takes them over; 'stickyctl stop",
	      stderr);
	print_options(config);
	fputs("' ends them\n", stderr);
	leftovers_fini(&leftovers);
	return true;
}

/* ---- Ending ------------------------------------------------------------------------------ */

/* Send a signal. Returns 0, also if the worker has ended; or -errno. */
static int send_signal(const struct leftover *worker, int signal)
{
	if (worker->pidfd < 0 || !syscall(SYS_pidfd_send_signal, worker->pidfd, signal, NULL, 0) ||
	    errno == ESRCH)
		return 0;
	return -errno;
}

/* Kill the worker's process group, and the worker itself, which may have left the group. */
static int kill_worker(const struct leftover *worker)
{
	int error = 0, result;

	if (worker->pidfd >= 0 && kill(-worker->record.pid, SIGKILL) && errno != ESRCH)
		error = -errno;
	result = send_signal(worker, SIGKILL);
	return result ? result : error;
}

static int ask(const struct leftover *worker)
{
	int number = worker->record.stop_signal ? (int)worker->record.stop_signal : SIGTERM;

	return worker->record.stop_requested ? 0 : send_signal(worker, number);
}

static int for_each(const struct leftovers *leftovers, int (*fn)(const struct leftover *worker))
{
	int error = 0, result;
	uint32_t i;

	for (i = 0; i < leftovers->count; i++) {
		result = fn(&leftovers->workers[i]);
		if (result)
			error = result;
	}
	if (error)
		fprintf(stderr, "stickyctl: cannot end the workers: %s\n", strerror(-error));
	return error;
}

/*
 * Kill the rest of the process group of a worker that has ended, as a controller does. Once the
 * worker was reaped, another process may have its pid and lead another group: this group is left
 * alone.
 */
static void close_worker(struct leftover *worker)
{
	uint64_t start = state_file_process_start(worker->record.pid);

	if ((!start || start == worker->record.process_start) &&
	    kill(-worker->record.pid, SIGKILL) && errno != ESRCH)
		fprintf(stderr, "stickyctl: cannot kill the process group %d: %s\n",
			worker->record.pid, strerror(errno));
	close(worker->pidfd);
	worker->pidfd = -1;
}

/* Wait until all workers have ended. Returns false if some have not after this time. */
static bool await_ends(struct leftovers *leftovers, uint32_t ms)
{
	uint64_t deadline = clock_ms() + ms, now;
	uint32_t i;

	for (i = 0; i < leftovers->count; i++) {
		struct leftover *worker = &leftovers->workers[i];
		struct pollfd end = {.fd = worker->pidfd, .events = POLLIN};

		if (worker->pidfd < 0)
			continue;
		now = clock_ms();
		if (poll(&end, 1, now < deadline ? (int)(deadline - now) : 0) != 1)
			return false;
		close_worker(worker);
	}
	return true;
}

static int end_all(struct leftovers *leftovers, bool now)
{
	uint32_t delay_ms = leftovers->content->hard_shutdown_delay_ms, i;
	int error;

	for (i = 0; i < leftovers->count; i++)
		leftover_processes_add(&leftovers->processes, leftovers->workers[i].record.pid);
	error = for_each(leftovers, now ? kill_worker : ask);
	if (error)
		return error == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED;
	if (await_ends(leftovers, now ? AFTER_KILL_MS : delay_ms ? delay_ms : DELAY_DEFAULT_MS))
		return EXIT_DONE;
	if (now || for_each(leftovers, kill_worker) || !await_ends(leftovers, AFTER_KILL_MS)) {
		fputs("stickyctl: workers that were killed have not ended\n", stderr);
		return EXIT_FAILED;
	}
	fputs("stickyctl: stopped; workers that outlived --hard-shutdown-delay were killed\n",
	      stderr);
	return EXIT_PARTLY;
}

/* The workers have ended. What they began may keep their addresses taken, and live on. */
static void free_addresses(const struct leftovers *leftovers, int *code)
{
	if (!leftover_sockets_shut_down(leftovers->content))
		*code = EXIT_PARTLY;
	leftover_processes_tell(&leftovers->processes);
}

static void clean_up(const struct config *config, const struct leftovers *leftovers,
		     struct rundir *rundir)
{
	char pins[PINS_PATH_SIZE];

	pins_locate(config->name, leftovers->content->pins_id, pins);
	if (leftovers->content->pins_id)
		pins_remove(pins);
	rundir_release(rundir);
}

bool leftovers_stop(const struct config *config, bool now, int *ret_code)
{
	struct error_text error = {"another controller has been started"};
	char directory[RUNDIR_PATH_SIZE];
	struct leftovers leftovers;
	struct rundir rundir;
	pid_t owner;

	if (rundir_locate(config->run_dir, config->name, directory) || rundir_is_taken(directory) ||
	    !find(directory, true, &leftovers))
		return false;
	/* While we hold the name, no controller can take these workers over. */
	if (rundir_take(config->run_dir, config->name, &rundir, &owner, &error)) {
		fprintf(stderr, "stickyctl: %s\n", error.text);
		*ret_code = EXIT_FAILED;
	} else {
		*ret_code = end_all(&leftovers, now);
		if (*ret_code == EXIT_DONE)
			fprintf(stderr,
				"stickyctl: the controller of '%s' had died; its workers have been "
				"ended\n",
				config->name);
		if (*ret_code == EXIT_DONE || *ret_code == EXIT_PARTLY) {
			free_addresses(&leftovers, ret_code);
			clean_up(config, &leftovers, &rundir);
		} else {
			rundir_leave(&rundir);
		}
	}
	leftovers_fini(&leftovers);
	return true;
}
