// SPDX-License-Identifier: MIT
/*
 * A small socket-activation server: the worker that the end-to-end tests and the benchmarks run. It
 * serves every inherited listening socket, names itself in each answer, and misbehaves on request.
 * It does not use libsticky, as most workers don't.
 *
 * Each connection gets one line,
 *     slot=S pid=P gen=G fd=F peer=ADDRESS
 * as the answer to one line, or as the body of an HTTP response to a request head. Then the worker
 * closes first, so that no client runs out of ports. S and G are STICKY_SLOT and STICKY_GENERATION
 * ("-" where unset), F is the listening socket's descriptor. A line that begins with "+" is
 * answered without closing: more lines may follow. "wait=MS" in a request delays the answer.
 *
 * Exit codes: 0 drained after SIGTERM; 1 failed; 2 usage; 3 LISTEN_PID is another process.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "failure.h"
#include "inherited.h"
#include "listeners.h"
#include "tally.h"
#include "timeline.h"
#include "worker.h"

/* the time after which a forked child ends by itself, in case a test does not end it */
#define CHILD_SECONDS 600

static void handle_stop(struct loop *loop, struct watch *watch)
{
	loop_unwatch(loop, watch);
	loop->draining = true;
	listeners_close(loop);
}

/*
 * Tell all threads to stop, after SIGTERM. They have the same eventfd in their loops, which is
 * never read and therefore wakes all of them.
 */
static void handle_signal(struct loop *loop, struct watch *watch)
{
	uint64_t one = 1;

	if (loop->worker->options.exit_on_term)
		_exit(0);
	loop_unwatch(loop, watch);
	if (write(loop->stop.fd, &one, sizeof(one)) != sizeof(one))
		fail("eventfd");
}

/*
 * Fork a child that the worker does not care for. The child has the listening sockets, and never
 * accepts.
 */
static void fork_child(void)
{
	pid_t child = fork();

	if (child < 0)
		fail("fork");
	if (child > 0)
		return;
	alarm(CHILD_SECONDS);
	for (;;)
		pause();
}

static void watch_signals(struct worker *worker)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL))
		fail("pthread_sigmask");
	worker->signals = (struct watch){.handle = handle_signal,
					 .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
	if (worker->signals.fd < 0)
		fail("signalfd");
	loop_watch(&worker->loops[0], &worker->signals, EPOLLIN);
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		fail("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fail("setrlimit");
}

static void set_up_loops(struct worker *worker)
{
	int stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	unsigned int i;

	if (stop < 0)
		fail("eventfd");
	for (i = 0; i < worker->options.threads; i++)
		loop_init(&worker->loops[i], worker, stop, handle_stop);
	atomic_init(&worker->accepting_loops, worker->options.threads);
}

/* Allocate and touch this much memory. It is kept until the end. */
static void grow(unsigned int mib)
{
	if (mib && mmap(NULL, (size_t)mib << 20, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
		fail("memory");
}

static void run(struct worker *worker)
{
	unsigned int i;

	for (i = 1; i < worker->options.threads; i++)
		if (pthread_create(&worker->loops[i].thread, NULL, loop_run, &worker->loops[i]))
			fail("pthread_create");
	loop_run(&worker->loops[0]);
	for (i = 1; i < worker->options.threads; i++)
		pthread_join(worker->loops[i].thread, NULL);
}

static const char *environment_text(const char *name)
{
	const char *text = getenv(name);

	return text && *text ? text : "-";
}

int main(int argc, char **argv)
{
	static struct worker worker;

	options_parse(argc, argv, &worker.options);
	tally_open(worker.options.tally);
	if (worker.options.print_fds)
		inherited_print();
	worker.slot = environment_text("STICKY_SLOT");
	worker.generation = environment_text("STICKY_GENERATION");
	listeners_take(&worker);
	if (worker.options.ignore_term)
		signal(SIGTERM, SIG_IGN);
	if (worker.options.fork_child)
		fork_child();
	raise_descriptor_limit();
	grow(worker.options.grow_mib);
	set_up_loops(&worker);
	if (!worker.options.ignore_term)
		watch_signals(&worker);
	timeline_start(&worker);
	run(&worker);
	return 0;
}
