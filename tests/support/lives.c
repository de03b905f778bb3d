// SPDX-License-Identifier: MIT
#include "lives.h"

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

int life_serve(struct sticky_worker *worker, int stop, uint32_t limit)
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

static void *run_life(void *context)
{
	struct life *life = context;

	life_serve(life->worker, life->stop, UINT32_MAX);
	return NULL;
}

int life_start(struct sticky_group *group, uint32_t slot, struct life *ret_life)
{
	int error = sticky_worker_open(group, slot, &ret_life->worker);

	if (error)
		return error;
	ret_life->stop = eventfd(0, EFD_CLOEXEC);
	if (ret_life->stop < 0 || pthread_create(&ret_life->thread, NULL, run_life, ret_life)) {
		sticky_worker_close(ret_life->worker);
		return -EAGAIN;
	}
	return sticky_worker_ready(ret_life->worker);
}

int life_end(struct life *life)
{
	eventfd_write(life->stop, 1);
	pthread_join(life->thread, NULL);
	close(life->stop);
	return sticky_worker_close(life->worker);
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
