// SPDX-License-Identifier: MIT
#include "worker_threads.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clients.h"

/* Wait for a client. Returns 1, 0 (the thread is to stop), or -errno. */
static int wait_for_client(int listening, int stop)
{
	struct pollfd fds[] = {{.fd = listening, .events = POLLIN}, {.fd = stop, .events = POLLIN}};

	if (poll(fds, 2, -1) < 0)
		return -errno;
	return !fds[1].revents;
}

int worker_thread_serve(struct sticky_worker *worker, int stop, uint32_t limit)
{
	int listening = sticky_worker_fd(worker, 0), served = 0, more, error;

	while ((uint32_t)served < limit && (more = wait_for_client(listening, stop)) != 0) {
		int fd = more < 0 ? more : client_accept(listening);

		if (fd < 0)
			return fd;
		error = number_send(fd, sticky_worker_slot(worker));
		close(fd);
		if (error)
			return error;
		served++;
	}
	return served;
}

static void *run_worker_thread(void *context)
{
	struct worker_thread *thread = context;

	worker_thread_serve(thread->worker, thread->stop, UINT32_MAX);
	return NULL;
}

int worker_thread_end(struct worker_thread *thread)
{
	eventfd_write(thread->stop, 1);
	pthread_join(thread->thread, NULL);
	close(thread->stop);
	return sticky_worker_close(thread->worker);
}

int worker_thread_start(struct sticky_group *group, uint32_t slot, struct worker_thread *ret_thread)
{
	int error = sticky_worker_open(group, slot, &ret_thread->worker);

	if (error)
		return error;
	ret_thread->stop = eventfd(0, EFD_CLOEXEC);
	if (ret_thread->stop < 0 ||
	    pthread_create(&ret_thread->thread, NULL, run_worker_thread, ret_thread)) {
		if (ret_thread->stop >= 0)
			close(ret_thread->stop);
		sticky_worker_close(ret_thread->worker);
		return -EAGAIN;
	}
	error = sticky_worker_ready(ret_thread->worker);
	if (error)
		worker_thread_end(ret_thread);
	return error;
}

/* Was the SYN sent more than once? The client sends nothing else that would be retransmitted. */
static bool was_delayed(int fd)
{
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	return info.tcpi_total_retrans > 0;
}

static void ask(struct crowd *crowd, uint32_t number)
{
	struct sockaddr_storage source = client_address(crowd->family, crowd->first + number);
	uint32_t answer = UINT32_MAX;
	int fd = client_connect(&source, &crowd->server), error;

	if (fd < 0) {
		crowd->refused++;
		crowd->error = fd;
		return;
	}
	crowd->connected++;
	error = number_receive(fd, &answer);
	crowd->delayed += !error && was_delayed(fd);
	close(fd);
	if (error) {
		crowd->lost++;
		crowd->error = error;
		return;
	}
	crowd->strayed += answer != crowd->slots[number];
	crowd->served++;
}

static void *run_crowd(void *context)
{
	struct crowd *crowd = context;
	uint32_t number;

	for (number = 0; !crowd->stop && (!crowd->limit || number < crowd->limit); number++)
		ask(crowd, number % crowd->addresses);
	return NULL;
}

int crowd_start(struct crowd *crowd)
{
	uint32_t number;

	/*
	 * The slots are computed before the thread starts, as sticky_group_where() waits for the
	 * group's lock.
	 */
	for (number = 0; number < crowd->addresses; number++) {
		struct sockaddr_storage client =
			client_address(crowd->family, crowd->first + number);
		struct sticky_where where = {.size = sizeof(where)};
		int error = sticky_group_where(crowd->group, (const void *)&client, &where);

		if (error)
			return error;
		crowd->slots[number] = where.slot;
	}
	return -pthread_create(&crowd->thread, NULL, run_crowd, crowd);
}

void crowd_end(struct crowd *crowd, bool stop)
{
	if (stop)
		crowd->stop = true;
	pthread_join(crowd->thread, NULL);
}
