// SPDX-License-Identifier: MIT
#include "demo/demo.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervise/worker_exit.h"
#include "supervise/worker_messages.h"
#include "demo/demo_thread.h"

struct demo {
	struct event_base *base;
	struct sticky_group *group;
};

/* A worker of the demo. It is a thread. */
struct run {
	struct worker *worker;
	struct demo_thread *thread;
	int notify_fd;
	struct event *notify;
	bool is_ready;
};

static void free_run(struct run *run)
{
	if (run->notify)
		event_free(run->notify);
	if (run->notify_fd >= 0)
		close(run->notify_fd);
	free(run);
}

static void on_state(evutil_socket_t fd, short what, void *context)
{
	struct run *run = context;
	enum demo_thread_state state = demo_thread_state(run->thread);
	uint64_t count;
	ssize_t got = read(fd, &count, sizeof(count));

	(void)got;
	(void)what;
	if (state == DEMO_THREAD_SERVING && !run->is_ready) {
		run->is_ready = true;
		worker_said(run->worker, WORKER_SAYS_READY);
	}
	if (state == DEMO_THREAD_ENDED) {
		struct run_exit how = {.ok = true, .text = "ended"};

		worker_exited(run->worker, &how); /* this frees `run` */
	}
}

static int start_run(void *context, struct worker *worker, struct sticky_worker *sockets,
		     void **ret_handle)
{
	struct demo *demo = context;
	struct run *run = calloc(1, sizeof(*run));
	int error = 0;

	if (!run)
		return -ENOMEM;
	run->worker = worker;
	run->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (run->notify_fd < 0)
		error = -errno;
	else
		run->notify =
			event_new(demo->base, run->notify_fd, EV_READ | EV_PERSIST, on_state, run);
	if (!error && (!run->notify || event_add(run->notify, NULL)))
		error = -ENOMEM;
	if (!error)
		error = demo_thread_start(demo->group, sockets, run->notify_fd, &run->thread);
	if (error) {
		free_run(run);
		return error;
	}
	*ret_handle = run;
	return 0;
}

static bool stop_run(void *context)
{
	demo_thread_stop(((struct run *)context)->thread);
	return true;
}

static void kill_run(void *context)
{
	demo_thread_kill(((struct run *)context)->thread);
}

static void release_run(void *context)
{
	struct run *run = context;

	demo_thread_join(run->thread);
	free_run(run);
}

static pid_t id_of_run(const void *context)
{
	return demo_thread_id(((const struct run *)context)->thread);
}

static void last_lines_of_run(const void *context, size_t size, char *ret_text)
{
	(void)context;
	(void)size;
	ret_text[0] = '\0'; /* a demo thread prints nothing */
}

/*
 * Returns the resident memory of this process, in bytes. All threads share it, so that each worker
 * shows the same number.
 */
static uint64_t own_rss(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void measure_runs(void *context, void *const *handles, uint32_t count,
			 struct run_usage *ret_usages)
{
	uint64_t rss = own_rss();
	uint32_t i;

	(void)context;
	for (i = 0; i < count; i++) {
		const struct run *run = handles[i];

		ret_usages[i] = (struct run_usage){
			.rss_bytes = rss,
			.cpu_ms = demo_thread_cpu_ms(run->thread),
			.connections = demo_thread_connections(run->thread),
		};
	}
}

static const struct worker_backend_ops ops = {
	.start = start_run,
	.stop = stop_run,
	.kill = kill_run,
	.release = release_run,
	.pid = id_of_run,
	.last_lines = last_lines_of_run,
	.measure = measure_runs,
};

/*
 * Reap children that have ended, and ignore SIGCHLD, so that the kernel removes later ones itself.
 * The demo's workers are threads. A child process can only be an orphan, which becomes a child of
 * this process if it is PID 1 of a container, or a child from before the exec().
 */
static void bury_orphans(void)
{
	signal(SIGCHLD, SIG_IGN);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		; /* children that ended before SIGCHLD was ignored */
}

static int open_demo(struct event_base *base, struct sticky_group *group,
		     struct worker_backend *ret_backend)
{
	struct demo *demo = calloc(1, sizeof(*demo));

	if (!demo)
		return -ENOMEM;
	*demo = (struct demo){.base = base, .group = group};
	*ret_backend = (struct worker_backend){.ops = &ops, .context = demo};
	bury_orphans();
	return 0;
}

static void close_demo(struct worker_backend *backend)
{
	signal(SIGCHLD, SIG_DFL);
	free(backend->context);
}

const struct thread_host *demo_host(void)
{
	static const struct thread_host host = {
		.open = open_demo,
		.close = close_demo,
		.listen = ":8080",
	};

	return &host;
}
