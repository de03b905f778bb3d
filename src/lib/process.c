// SPDX-License-Identifier: MIT
/* The API for worker processes: descriptors from the environment, and connections from them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/channel.h"
#include "sticky.h"

#define FIRST_SOCKET 3 /* SD_LISTEN_FDS_START */
#define SOCKETS_MAX  64

struct sticky_process {
	int sockets[SOCKETS_MAX];
	uint32_t socket_count;
	int channel; /* -1: there is none */
	int poll_fd;
	/* counts up; odd or even, it decides whether sockets or channel are tried first */
	uint32_t turn;
	bool stopping;
};

/* ---- What the environment says ------------------------------------------------------ */

/* Read a number from the environment. Returns -1 if there is none. */
static long long process_variable(const char *name)
{
	const char *text = getenv(name);
	long long value;
	char *end;

	if (!text || !*text)
		return -1;
	errno = 0;
	value = strtoll(text, &end, 10);
	return errno || *end || value < 0 ? -1 : value;
}

static int process_take_over(int fd, bool non_blocking)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return -errno;
	return non_blocking && fcntl(fd, F_SETFL, flags | O_NONBLOCK) ? -errno : 0;
}

static int take_sockets(struct sticky_process *process)
{
	long long count = process_variable("LISTEN_FDS"), i;
	int error;

	if (count <= 0 || process_variable("LISTEN_PID") != getpid())
		return 0;
	if (count > SOCKETS_MAX)
		return -EMFILE;
	for (i = 0; i < count; i++) {
		int fd = FIRST_SOCKET + (int)i;

		error = process_take_over(fd, true);
		if (error)
			return error;
		process->sockets[process->socket_count++] = fd;
	}
	return 0;
}

/*
 * close() alone does not take a descriptor out of the epoll set if the controller or a child has a
 * duplicate: the descriptor would be reported again and again.
 */
static void end_watched(const struct sticky_process *process, int fd)
{
	if (process->poll_fd >= 0)
		epoll_ctl(process->poll_fd, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
}

static void end_channel(struct sticky_process *process)
{
	end_watched(process, process->channel);
	process->channel = -1;
}

/*
 * LISTEN_PID tells for which process the variable is meant: a child may inherit the variable
 * without the descriptor.
 */
static int take_channel(struct sticky_process *process)
{
	long long fd = process_variable(CHANNEL_VARIABLE);
	struct channel_message hello = {.version = CHANNEL_VERSION, .kind = CHANNEL_HELLO};
	int error;

	if (fd < 0 || fd > INT32_MAX || process_variable("LISTEN_PID") != getpid())
		return 0;
	error = process_take_over((int)fd, true);
	if (error)
		return error;
	process->channel = (int)fd;
	error = channel_send(process->channel, &hello, -1);
	if (error != -EPIPE && error != -ECONNRESET)
		return error;
	/* The controller has ended. The listening sockets, if there are any, serve on. */
	end_channel(process);
	return 0;
}

static int process_watch(const struct sticky_process *process, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(process->poll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int process_watch_all(struct sticky_process *process)
{
	uint32_t i;
	int error = 0;

	process->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (process->poll_fd < 0)
		return -errno;
	for (i = 0; i < process->socket_count && !error; i++)
		error = process_watch(process, process->sockets[i]);
	if (!error && process->channel >= 0)
		error = process_watch(process, process->channel);
	return error;
}

int sticky_process_open(struct sticky_process **ret_process)
{
	struct sticky_process *process = calloc(1, sizeof(*process));
	int error;

	if (!process)
		return -ENOMEM;
	process->channel = -1;
	process->poll_fd = -1;
	error = take_sockets(process);
	if (!error)
		error = take_channel(process);
	if (!error && !process->socket_count && process->channel < 0)
		error = -ENOENT;
	if (!error)
		error = process_watch_all(process);
	if (error) {
		sticky_process_close(process);
		return error;
	}
	*ret_process = process;
	return 0;
}

int sticky_process_fd(const struct sticky_process *process)
{
	return process->poll_fd;
}

uint32_t sticky_process_slot(const struct sticky_process *process)
{
	long long slot = process_variable("STICKY_SLOT");

	(void)process;
	return slot < 0 ? 0 : (uint32_t)slot;
}

uint64_t sticky_process_generation(const struct sticky_process *process)
{
	long long generation = process_variable("STICKY_GENERATION");

	(void)process;
	return generation < 0 ? 0 : (uint64_t)generation;
}

/* ---- Accepting ---------------------------------------------------------------------- */

static void process_answer(struct sticky_process *process, uint32_t id, enum channel_kind kind)
{
	struct channel_message message = {
		.version = CHANNEL_VERSION, .kind = (uint16_t)kind, .id = id};

	/*
	 * This does not fail: the buffer has room for more reports than connections can be on their
	 * way.
	 */
	channel_send(process->channel, &message, -1);
}

static int process_set_flags(int fd, int flags)
{
	int status = fcntl(fd, F_GETFL);

	if (status < 0)
		return -errno;
	status = flags & SOCK_NONBLOCK ? status | O_NONBLOCK : status & ~O_NONBLOCK;
	if (fcntl(fd, F_SETFL, status) || fcntl(fd, F_SETFD, flags & SOCK_CLOEXEC ? FD_CLOEXEC : 0))
		return -errno;
	return 0;
}

static void copy_client(const struct channel_message *message, struct sockaddr_storage *ret_client)
{
	if (!ret_client)
		return;
	memset(ret_client, 0, sizeof(*ret_client));
	memcpy(ret_client, &message->client, sizeof(message->client));
}

/* Take one passed connection. Returns its descriptor, or -EAGAIN. */
static int take_passed(struct sticky_process *process, struct sockaddr_storage *ret_client,
		       int flags)
{
	struct channel_message message;
	int fd, result;

	while (process->channel >= 0) {
		result = channel_receive(process->channel, &message, &fd);
		if (result == -EAGAIN)
			return -EAGAIN;
		if (result == -EMFILE) {
			process_answer(process, message.id, CHANNEL_REFUSED);
			return -EMFILE;
		}
		if (result <= 0) {
			end_channel(process);
			return -EAGAIN;
		}
		if (fd < 0)
			continue;
		if (message.kind == CHANNEL_CONNECTION && !process->stopping &&
		    !process_set_flags(fd, flags)) {
			process_answer(process, message.id, CHANNEL_ACCEPTED);
			copy_client(&message, ret_client);
			return fd;
		}
		close(fd);
		process_answer(process, message.id, CHANNEL_REFUSED);
	}
	return -EAGAIN;
}

static int process_accept_one(int listener, struct sockaddr_storage *ret_client, int flags)
{
	socklen_t length = sizeof(*ret_client);
	int fd;

	do
		fd = accept4(listener, (void *)ret_client, ret_client ? &length : NULL, flags);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	return fd < 0 ? -errno : fd;
}

int sticky_process_accept(struct sticky_process *process, struct sockaddr_storage *ret_client,
			  int flags)
{
	uint32_t sources = process->socket_count + 1, tried;
	int fd;

	for (tried = 0; tried < sources; tried++) {
		uint32_t turn = process->turn++ % sources;

		fd = turn < process->socket_count
			     ? process_accept_one(process->sockets[turn], ret_client, flags)
			     : take_passed(process, ret_client, flags);
		if (fd != -EAGAIN)
			return fd;
	}
	return process->stopping ? -ESHUTDOWN : -EAGAIN;
}

/* ---- Telling ------------------------------------------------------------------------ */

/* sd_notify(3). */
static int process_notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = path ? strlen(path) : 0;
	int fd, error = 0;

	if (!length)
		return 0;
	if (length >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return -EINVAL;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* an abstract socket's name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (void *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		error = -errno;
	close(fd);
	return error;
}

int sticky_process_ready(struct sticky_process *process)
{
	(void)process;
	return process_notify("READY=1");
}

static void close_sockets(struct sticky_process *process)
{
	uint32_t i;

	for (i = 0; i < process->socket_count; i++)
		end_watched(process, process->sockets[i]);
	process->socket_count = 0;
}

int sticky_process_stopping(struct sticky_process *process)
{
	if (process->stopping)
		return 0;
	process->stopping = true;
	close_sockets(process);
	/*
	 * No more connections can be sent. Those that have arrived can still be read, and given
	 * back.
	 */
	if (process->channel >= 0)
		shutdown(process->channel, SHUT_RD);
	while (take_passed(process, NULL, 0) == -EMFILE)
		; /* each call gives connections back; after -EMFILE there may be more */
	return process_notify("STOPPING=1");
}

void sticky_process_close(struct sticky_process *process)
{
	if (!process)
		return;
	close_sockets(process);
	if (process->channel >= 0)
		close(process->channel);
	if (process->poll_fd >= 0)
		close(process->poll_fd);
	free(process);
}
